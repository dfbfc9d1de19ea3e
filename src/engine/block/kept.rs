//! The block way's outcome as a finished stage.

use super::shown::Shown;
use super::{Block, Outcome};
use crate::engine::corpus::Corpus;
use crate::engine::cuts::Cuts;
use crate::engine::stages::{Kept, Lines, Reader};
use crate::plan::strip::Cut;
use crate::report::Picture;
use crate::{Result, block::decide::Reason, block::template::Evidence};

impl Kept for Outcome {
    fn save(&self, to: &mut Lines<'_>) -> Result<()> {
        to.one(&self.census)?;
        to.one(&self.untold)?;
        to.many(self.cuts.iter())?;
        let blocks = self.blocks.iter().enumerate();
        to.many_made(blocks, |(i, block)| Ok((&block.evidence, block.reason, self.shown.get(i)?)))?;
        to.names(&self.names)
    }

    fn load(corpus: &Corpus<'_>, from: &mut Reader<'_>) -> Result<Self> {
        let census = from.one()?;
        let untold = from.one()?;
        let (mut cuts, mut blocks, mut shown) = (Cuts::new(corpus), Vec::new(), Shown::new(corpus));
        from.many(|(doc, cut): (u32, Cut)| cuts.push(doc, cut))?;
        from.many(|(evidence, reason, picture): (Evidence, Reason, Picture)| {
            blocks.push(Block { evidence, reason });
            shown.add_picture(&picture)
        })?;
        let names = from.names(corpus)?;
        Ok(Self { cuts, blocks, untold, shown, names, census })
    }
}
