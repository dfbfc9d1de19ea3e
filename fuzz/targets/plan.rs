//! Whatever pieces are to go: the cuts ascend, lie on characters, and what stays is the text without them.
#![no_main]
use descale::plan::strip::{Piece, apply, cuts, exact_cuts};
use descale::span::Span;
use descale::text::{Tokens, tokenize};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Vec<(u8, u8)>)| {
    let (text, wanted) = input;
    let mut tokens = Tokens::default();
    tokenize(text, &mut tokens);
    let spans = &tokens.spans;
    let Ok(len) = u32::try_from(spans.len()) else { return };
    let pieces: Vec<Piece> = (0u32..)
        .zip(wanted)
        .map(|(block, (start, tokens))| (block, u32::from(start).min(len), u32::from(tokens)))
        .map(|(block, start, tokens)| Piece { tokens: Span::new(start, (start + tokens).min(len)), block })
        .filter(|piece| !piece.tokens.is_empty())
        .collect();
    for found in [cuts(text, spans, &pieces), exact_cuts(text, spans, &pieces)] {
        assert!(found.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start));
        let cut: usize = found.iter().map(|c| text[c.span.range()].len()).sum();
        assert_eq!(apply(text, &found).len(), text.len() - cut);
    }
});
