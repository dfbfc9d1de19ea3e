//! Object stores and web servers, in and out.
//!
//! The S3-compatible server comes from `tests/servers.sh`, which `.ci/run` calls. The web server that breaks off is made here.

use crate::binary;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A program of the environment that `tests/servers.sh` makes.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers/bin").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("DESCALE_SERVERS").is_none(), "{} is missing: run tests/servers.sh", path.display());
    eprintln!("skipped: there is no {name} here (tests/servers.sh gets it)");
    None
}

/// A store on this machine, gone with the value.
struct Store {
    server: Child,
    address: String,
}

impl Store {
    fn start() -> Option<Self> {
        let mut server = Command::new(program("moto_server")?);
        let mut server =
            server.args(["-H", "127.0.0.1", "-p", "0"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.unwrap().split_once("http://")?.1.trim().to_owned())).unwrap();
        // What the server says later must have somewhere to go.
        std::thread::spawn(move || lines.for_each(drop));
        let store = Self { server, address };
        assert!(store.ask("PUT", "/bucket", b"").0.contains("200"));
        Some(store)
    }

    fn put(&self, key: &str, bytes: &[u8]) {
        assert!(self.ask("PUT", &format!("/bucket/{key}"), bytes).0.contains("200"), "{key}");
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        let (head, body) = self.ask("GET", &format!("/bucket/{key}"), b"");
        head.contains("200").then_some(body)
    }

    /// Status line and body of a request's answer.
    fn ask(&self, verb: &str, path: &str, body: &[u8]) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        // The server looks for a signature and does not check it; what is put may be read by anybody.
        let head = format!(
            "{verb} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\nx-amz-acl: public-read\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=a/20240101/us-east-1/s3/aws4_request, Signature=0\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).lines().next().unwrap().to_owned();
        (head, answer[end + 4..].to_vec())
    }

    fn descale(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .args(arguments)
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .envs([("AWS_ALLOW_HTTP", "true"), ("AWS_REGION", "us-east-1")])
            .envs([("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")])
            .output()
            .unwrap()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Lines of text that nothing repeats, long enough for an upload in parts.
fn long() -> String {
    let word = |n: u64| format!("{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20);
    let line = |i: u64| {
        let words: Vec<String> = (0..100).map(|j| word(i * 100 + j)).collect();
        format!("{{\"id\":\"{i}\",\"text\":\"{}\"}}\n", words.join(" "))
    };
    (0..16_000).map(line).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_store_gives_and_takes_what_a_folder_does() {
    let Some(store) = Store::start() else { return };
    let root = tempfile::tempdir().unwrap();
    let (input, local) = (root.path().join("in"), root.path().join("out"));
    fs::create_dir_all(input.join("deep")).unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    fs::copy(demo.join("demo/pages.jsonl"), input.join("deep/pages.jsonl")).unwrap();
    fs::copy(demo.join("formats/valid/plain.parquet"), input.join("plain.parquet")).unwrap();
    fs::write(input.join("long.jsonl"), long()).unwrap();
    let names = ["deep/pages.jsonl", "plain.parquet", "long.jsonl"];
    for name in names {
        store.put(&format!("in/{name}"), &fs::read(input.join(name)).unwrap());
    }
    store.put("in/.hidden/x.jsonl", b"no record");

    let clean = ["clean", "s3://bucket/in", "--out", "s3://bucket/out/", "--quiet"];
    let done = store.descale(&clean);
    assert!(done.status.success(), "{}", stderr(&done));
    let done = store.descale(&["clean", input.to_str().unwrap(), "--out", local.to_str().unwrap(), "--quiet"]);
    assert!(done.status.success(), "{}", stderr(&done));
    for name in names {
        let at = format!("data/{name}");
        assert!(store.get(&format!("out/{at}")).unwrap() == fs::read(local.join(&at)).unwrap(), "{name}");
    }
    for name in ["plan.jsonl", "blocks.jsonl", "removed.jsonl"] {
        assert!(store.get(&format!("out/{name}")).unwrap() == fs::read(local.join(name)).unwrap(), "{name}");
    }

    // Explained and restored from there, and into there.
    let [there, here] = ["s3://bucket/out", local.to_str().unwrap()]
        .map(|results| store.descale(&["explain", results, "vc-1-corrected"]));
    assert!(there.status.success(), "{}", stderr(&there));
    assert_eq!(there.stdout, here.stdout);
    let back = root.path().join("back");
    for to in [back.to_str().unwrap(), "s3://bucket/back"] {
        let restored = store.descale(&["restore", "s3://bucket/out/", "--to", to, "--quiet"]);
        assert!(restored.status.success(), "{}", stderr(&restored));
    }
    for name in ["deep/pages.jsonl", "long.jsonl"] {
        let bytes = fs::read(input.join(name)).unwrap();
        assert!(fs::read(back.join(name)).unwrap() == bytes, "{name}");
        assert!(store.get(&format!("back/{name}")).unwrap() == bytes, "{name}");
    }
    assert!(fs::read_dir(root.path()).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().starts_with('.')));
    let nothing = store.descale(&["restore", "s3://bucket/nothing", "--to", root.path().join("x").to_str().unwrap()]);
    assert!(nothing.status.code() == Some(2) && stderr(&nothing).contains("no results"), "{}", stderr(&nothing));

    // What is there stays, unless it is to be replaced; then nothing old is left.
    let again = store.descale(&clean);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("--overwrite"), "{}", stderr(&again));
    let replaced =
        store.descale(&["scan", "s3://bucket/in/*.parquet", "--out", "s3://bucket/out", "--overwrite", "--quiet"]);
    assert!(replaced.status.success(), "{}", stderr(&replaced));
    assert!(store.get("out/summary.json").is_some() && store.get("out/data/long.jsonl").is_none());

    // The same object by a plain address, and one that is not there.
    let address = format!("http://{}/bucket/in/deep/pages.jsonl", store.address);
    let streamed = store.descale(&["clean", &address, "--out", "-", "--quiet"]);
    assert!(streamed.status.success(), "{}", stderr(&streamed));
    assert!(!streamed.stdout.is_empty());
    let missing = store.descale(&["scan", "s3://bucket/nothing/here.jsonl"]);
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
}

/// Serves `content` to two requests; the first answer breaks off in the middle. Returns what the second asked for.
fn breaks_off(listener: &TcpListener, content: &[u8]) -> String {
    let half = content.len() / 2;
    let mut second = String::new();
    for (answer, from) in [(&content[..half], 0), (&content[half..], half)] {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        second = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
        let (status, range) = match from {
            0 => ("200 OK", String::new()),
            _ => (
                "206 Partial Content",
                format!("Content-Range: bytes {from}-{}/{}\r\n", content.len() - 1, content.len()),
            ),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nETag: \"one\"\r\nLast-Modified: Fri, 01 Nov 2024 00:00:00 GMT\r\n\
             Connection: close\r\n{range}Content-Length: {}\r\n\r\n",
            content.len() - from
        );
        stream.write_all(&[head.as_bytes(), answer].concat()).unwrap();
    }
    second
}

#[test]
fn a_body_that_breaks_off_is_fetched_from_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a%20b/pages.jsonl", listener.local_addr().unwrap());
    let content = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo/pages.jsonl")).unwrap();
    let served = content.clone();
    let server = std::thread::spawn(move || breaks_off(&listener, &served));
    let scan = ["dedup", &url, "--out", "-", "--quiet", "--threshold", "1"];
    let done = Command::new(binary()).args(scan).output().unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    let second = server.join().unwrap().to_lowercase();
    assert!(
        second.contains("a%20b/pages.jsonl") && second.contains(&format!("range: bytes={}-", content.len() / 2)),
        "{second}"
    );
    let kept = done.stdout.split_inclusive(|&b| b == b'\n');
    assert!(kept.clone().count() > 5 && kept.clone().all(|line| content.windows(line.len()).any(|w| w == line)));
}
