//! Are broken data sets refused by file and byte, and do published ones arrive whole?

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use kana_engine::Prediction;
use kana_engine::image::{Image, Shape};
use kana_engine::model::{Card, Classifier};
use kana_train::data::{self, Folder, Study, evaluate, study};
use tempfile::TempDir;

use crate::support::idx;

/// Six images of 2×3, of classes 0 to 5.
fn good_pair() -> (Vec<u8>, Vec<u8>) {
    let pixels: Vec<u8> = (0..36).collect();
    (idx::images([6, 2, 3], &pixels), idx::labels(&[0, 1, 2, 3, 4, 5]))
}

fn folder_with(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

const IMAGES: &str = "t10k-images-idx3-ubyte";
const LABELS: &str = "t10k-labels-idx1-ubyte";

#[test]
fn packed_and_plain_files_are_the_same_data_set() {
    let (images, labels) = good_pair();
    let plain = folder_with(&[(IMAGES, &images), (LABELS, &labels)]);
    let packed =
        folder_with(&[(&format!("{IMAGES}.gz"), &packed(&images)), (&format!("{LABELS}.gz"), &packed(&labels))]);

    let (plain, packed) = (Folder::load(plain.path()).unwrap(), Folder::load(packed.path()).unwrap());

    assert_eq!(plain.test, packed.test);
    assert_eq!((plain.test.len(), plain.test.labels()), (6, &[0, 1, 2, 3, 4, 5][..]));
    assert_eq!(plain.test.image(1).pixels(), [6, 7, 8, 9, 10, 11]);
    assert_eq!(plain.test.shape(), Shape { channels: 1, height: 2, width: 3 });
    assert!(plain.train.is_none());
}

/// One way to break a data set: what is wrong, the files, the file that is named, the byte, and words of the message.
struct Broken {
    what: &'static str,
    images: Vec<u8>,
    labels: Vec<u8>,
    named: &'static str,
    offset: u64,
    says: &'static str,
}

fn broken_pairs() -> Vec<Broken> {
    let (images, labels) = good_pair();
    let of_images = |what, images: Vec<u8>, offset, says| Broken {
        what,
        images,
        labels: good_pair().1,
        named: IMAGES,
        offset,
        says,
    };
    let of_labels = |what, labels: Vec<u8>, offset, says| Broken {
        what,
        images: good_pair().0,
        labels,
        named: LABELS,
        offset,
        says,
    };
    let with = |bytes: &[u8], at: usize, value: &[u8]| {
        let mut changed = bytes.to_vec();
        changed[at..at + value.len()].copy_from_slice(value);
        changed
    };
    vec![
        of_images("empty", Vec::new(), 0, "inside its header"),
        of_images("cut in its header", images[..9].to_vec(), 9, "inside its header"),
        of_images("cut in its pixels", images[..40].to_vec(), 40, "24 of 36 bytes"),
        of_images("with bytes behind", [images.as_slice(), &[0]].concat(), 52, "more bytes than the header announces"),
        of_images("of another type", with(&images, 2, &[0x0d]), 0, "magic number 3331"),
        of_images("text", b"<html>not found</html>".to_vec(), 0, "magic number"),
        of_images("labels instead of images", labels.clone(), 0, "that of a label file"),
        of_images("without rows", with(&images, 8, &[0; 4]), 8, "extent 0 of dimension 1"),
        of_images("of absurd width", with(&images, 12, &[0xff; 4]), 12, "extent 4294967295 of dimension 2"),
        of_images("of absurd size", idx::images([u32::MAX, 1024, 1024], &[1, 2, 3]), 4, "asks for over"),
        of_images("of a size that it has not", idx::images([100_000, 28, 28], &[1, 2, 3]), 19, "3 of 78400000 bytes"),
        of_images("gzip cut short", packed(&images)[..30].to_vec(), 0, "gzip stream breaks off"),
        of_images(
            "gzip with bytes behind",
            [packed(&images), vec![7]].concat(),
            52,
            "behind the end of the gzip stream",
        ),
        of_labels("images instead of labels", images.clone(), 0, "that of an image file"),
        of_labels("a label short", idx::labels(&[0, 1, 2, 3, 4]), 4, "5 labels for the 6 images"),
        of_labels("a label out of range", with(&labels, 10, &[10]), 10, "label 10 of image 2"),
    ]
}

#[test]
fn whatever_is_broken_is_refused_by_file_and_byte() {
    for case in broken_pairs() {
        let folder = folder_with(&[(IMAGES, &case.images), (LABELS, &case.labels)]);

        let error = Folder::load(folder.path()).unwrap_err();

        let data::Error::Malformed { path, offset, reason } = &error else { panic!("{}: {error:?}", case.what) };
        assert!(path.ends_with(case.named), "{}: {path:?} is named", case.what);
        assert!(reason.contains(case.says), "{}: it says {reason:?}", case.what);
        let is_packed = case.images.starts_with(&[0x1f, 0x8b]);
        assert!(*offset == case.offset || is_packed, "{}: byte {offset} is named", case.what);
    }
}

#[test]
fn a_missing_half_of_a_pair_is_named() {
    let (images, labels) = good_pair();
    let folder = folder_with(&[("train-images-idx3-ubyte", &images), (IMAGES, &images), (LABELS, &labels)]);

    let error = Folder::load(folder.path()).unwrap_err();

    assert!(error.to_string().contains("train-labels-idx1-ubyte"), "{error}");
}

#[test]
fn labels_may_be_named_by_a_file_and_then_bound_the_range() {
    let (images, labels) = good_pair();
    let folder = folder_with(&[(IMAGES, &images), (LABELS, &labels), ("labels.txt", "a\nb\nc\nd\ne\n".as_bytes())]);

    let error = Folder::load(folder.path()).unwrap_err();
    fs::write(folder.path().join("labels.txt"), "a\nb\nc\nd\ne\nf\n").unwrap();
    let loaded = Folder::load(folder.path()).unwrap();

    assert!(error.to_string().contains("label 5 of image 5"), "{error}");
    assert_eq!(loaded.classes.labels, ["a", "b", "c", "d", "e", "f"]);
}

/// Sixty images of 2×3, twelve of each of five classes; each image's pixels tell its number.
fn numbered() -> TempDir {
    let pixels: Vec<u8> = (0..60).flat_map(|image| [image; 6]).collect();
    let labels: Vec<u8> = (0..60).map(|image| image % 5).collect();
    folder_with(&[(IMAGES, &idx::images([60, 2, 3], &pixels)), (LABELS, &idx::labels(&labels))])
}

#[test]
fn a_lone_set_is_split_in_three_that_share_no_image() {
    let folder = Folder::load(numbered().path()).unwrap();

    let study = Study::new(&folder, 0.2, 1);

    let numbers = |part: &data::Dataset| (0..part.len()).map(|index| part.pixels(index)[0]).collect::<Vec<_>>();
    let parts = [&study.learning, &study.validation, &study.test];
    let mut all = parts.map(numbers).concat();
    all.sort_unstable();
    assert_eq!(all, (0..60).collect::<Vec<u8>>());
    for (part, each) in parts.into_iter().zip([8, 2, 2]) {
        for class in 0..5 {
            assert_eq!(part.labels().iter().filter(|&&label| label == class).count(), each);
        }
    }
    assert!(study.protocol.test.contains("learned from 40, the epoch chosen by 10, judged once on 10"));
}

/// Takes every image for class 1.
struct OneTrack(Card);

impl Classifier for OneTrack {
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, kana_engine::model::Error> {
        let one = || Prediction::from_probabilities(vec![0.1, 0.6, 0.1, 0.1, 0.1], &self.0.labels).unwrap();
        Ok(images.iter().map(|_| one()).collect())
    }

    fn card(&self) -> &Card {
        &self.0
    }
}

#[test]
fn an_evaluation_counts_what_was_taken_for_what() {
    let folder = Folder::load(numbered().path()).unwrap();
    let mut classifier = OneTrack(idx::card(&["a", "b", "c", "d", "e"]));
    let mut heard = 0;

    let evaluation = evaluate::evaluate(&mut classifier, &folder.test, |count| heard += count).unwrap();

    assert_eq!((evaluation.images, heard, evaluation.accuracy), (60, 60, 0.2));
    assert_eq!(evaluation.confusion[4], [0, 12, 0, 0, 0]);
    assert_eq!((evaluation.per_class[1].precision, evaluation.per_class[1].recall), (0.2, 1.0));
    let json = serde_json::to_value(&evaluation).unwrap();
    let mut keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["accuracy", "confusion", "images", "per_class"]);
}

#[test]
fn a_model_is_judged_by_what_it_did_not_learn_from() {
    let folder = Folder::load(numbered().path()).unwrap();
    let mut card = idx::card(&["a", "b", "c", "d", "e"]);
    let stranger = study::held_out(&folder, &card);

    card.training.data = folder.test.sources().to_vec();
    let acquainted = study::held_out(&folder, &card);

    assert_eq!(stranger.len(), 60);
    assert_eq!(acquainted, Study::new(&folder, 0.3, card.training.seed).test);
}

/// The real KMNIST, where this machine has it.
fn kmnist() -> Option<PathBuf> {
    std::env::var_os("KANA_DATA")
        .map(|folder| crate::support::project().join(folder).join("kmnist"))
        .filter(|folder| folder.is_dir())
}

#[test]
fn the_published_kmnist_is_recognised() {
    let Some(folder) = kmnist() else { return };

    let folder = Folder::load(&folder).unwrap();

    assert_eq!((folder.test.len(), folder.classes.labels[0].as_str()), (10_000, "お"));
    assert_eq!(folder.classes.romanised[9], "wo");
    assert_eq!(folder.classes.licence, "CC BY-SA 4.0");
}

mod fetching {
    use std::collections::VecDeque;
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};

    use kana_train::data::fetch::{self, Error, Event, fetch};
    use kana_train::data::published::{KMNIST, Proof, Published, PublishedFile};
    use sha2::{Digest, Sha256};

    use super::*;

    /// How a server answers one request.
    #[derive(Clone, Copy)]
    enum Answer {
        /// As it should.
        Properly,
        /// From the start, whatever range was asked for.
        FromTheStart,
        /// Announces everything and hangs up after so many bytes.
        CutAfter(usize),
        /// 404.
        NotFound,
        /// As many other bytes.
        Falsified,
    }

    /// Serves one file on loopback; heard requests are the `Range` headers, or nothing.
    struct Server {
        address: String,
        heard: Arc<Mutex<Vec<Option<String>>>>,
    }

    impl Server {
        /// Answers by `script`, and properly once that is over.
        fn start(file: Vec<u8>, script: &[Answer]) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("http://{}/", listener.local_addr().unwrap());
            let heard = Arc::new(Mutex::new(Vec::new()));
            let (log, mut script) = (heard.clone(), VecDeque::from(script.to_vec()));
            // Ends with the process: it waits for requests that no longer come.
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let range = requested(&stream);
                    log.lock().unwrap().push(range.clone());
                    // A client that hangs up early is part of some scripts.
                    let _ = answer(stream, &file, (script.pop_front().unwrap_or(Answer::Properly), range));
                }
            });
            Self { address, heard }
        }

        fn heard(&self) -> Vec<Option<String>> {
            self.heard.lock().unwrap().clone()
        }
    }

    /// The value of the request's `Range`.
    fn requested(mut stream: &TcpStream) -> Option<String> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        head.lines().find_map(|line| line.strip_prefix("range: ")).map(str::to_owned)
    }

    fn answer(mut stream: TcpStream, file: &[u8], (how, range): (Answer, Option<String>)) -> std::io::Result<()> {
        let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        let (start, sent) = match how {
            Answer::NotFound => {
                return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
            Answer::Properly => (start, file.len()),
            Answer::CutAfter(bytes) => (start, start.unwrap_or(0) + bytes),
            Answer::FromTheStart | Answer::Falsified => (None, file.len()),
        };
        let from = start.unwrap_or(0);
        let status = match start {
            Some(from) => {
                format!("206 Partial Content\r\ncontent-range: bytes {from}-{}/{}", file.len() - 1, file.len())
            }
            None => "200 OK".into(),
        };
        let length = file.len() - from;
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")?;
        let mut body = file[from..sent.min(file.len())].to_vec();
        if matches!(how, Answer::Falsified) {
            body.reverse();
        }
        stream.write_all(&body)
    }

    fn bytes() -> Vec<u8> {
        (0..300_000_u32).map(|number| (number % 251) as u8).collect()
    }

    /// A data set of one file, [`bytes`].
    fn published(proof: fn(&'static str) -> Proof, proved: &[u8]) -> Published {
        let digest: &'static str = Box::leak(hex::encode(Sha256::digest(proved)).into_boxed_str());
        let files: &'static [PublishedFile] =
            Box::leak(Box::new([PublishedFile { name: "file.gz", proof: proof(digest) }]));
        Published { files, ..KMNIST }
    }

    /// What one fetch came to, and how many bytes it heard of.
    async fn fetched(set: &Published, server: &Server, out: &Path) -> (Result<(), Error>, u64) {
        let mut came = 0;
        let mut hear = |event: Event<'_>| {
            if let Event::Came(bytes) = event {
                came += bytes;
            }
        };
        let outcome = fetch(set, &server.address, out, &mut hear).await;
        (outcome, came)
    }

    #[tokio::test]
    async fn a_file_comes_once_and_is_not_fetched_again() {
        let (set, out) = (published(Proof::Packed, &bytes()), TempDir::new().unwrap());
        let server = Server::start(bytes(), &[]);

        let first = fetched(&set, &server, out.path()).await;
        let second = fetched(&set, &server, out.path()).await;

        assert!(first.0.is_ok() && second.0.is_ok());
        assert_eq!((first.1, second.1, server.heard()), (300_000, 0, vec![None]));
        assert_eq!(fs::read(out.path().join("file.gz")).unwrap(), bytes());
        assert!(!out.path().join("file.gz.part").exists());
    }

    #[tokio::test]
    async fn what_was_cut_off_goes_on_where_it_stopped() {
        let (set, out) = (published(Proof::Packed, &bytes()), TempDir::new().unwrap());
        let server = Server::start(bytes(), &[Answer::CutAfter(100_000), Answer::CutAfter(50_000)]);

        let (outcome, came) = fetched(&set, &server, out.path()).await;

        outcome.unwrap();
        assert_eq!((came, server.heard().len()), (300_000, 3));
        assert_eq!(server.heard()[2], Some("bytes=150000-".into()));
        assert_eq!(fs::read(out.path().join("file.gz")).unwrap(), bytes());
    }

    #[tokio::test]
    async fn a_connection_that_brings_nothing_is_given_up_and_what_came_stays() {
        let (set, out) = (published(Proof::Packed, &bytes()), TempDir::new().unwrap());
        fs::write(out.path().join("file.gz.part"), &bytes()[..7]).unwrap();
        let server = Server::start(bytes(), &[Answer::CutAfter(0); 8]);

        let (outcome, _) = fetched(&set, &server, out.path()).await;

        assert!(matches!(outcome, Err(Error::BrokenOff { bytes: 7, .. })), "{outcome:?}");
        assert_eq!(fs::read(out.path().join("file.gz.part")).unwrap(), bytes()[..7]);
    }

    #[tokio::test]
    async fn a_server_that_knows_no_ranges_begins_anew() {
        let (set, out) = (published(Proof::Packed, &bytes()), TempDir::new().unwrap());
        fs::write(out.path().join("file.gz.part"), &bytes()[..1000]).unwrap();
        let server = Server::start(bytes(), &[Answer::FromTheStart]);

        let (outcome, came) = fetched(&set, &server, out.path()).await;

        outcome.unwrap();
        assert_eq!(came, 300_000);
        assert_eq!(fs::read(out.path().join("file.gz")).unwrap(), bytes());
    }

    #[tokio::test]
    async fn a_wrong_digest_is_refused_and_the_file_removed() {
        let (set, out) = (published(Proof::Packed, &bytes()), TempDir::new().unwrap());
        let server = Server::start(bytes(), &[Answer::Falsified]);

        let (outcome, _) = fetched(&set, &server, out.path()).await;

        assert!(matches!(outcome, Err(Error::WrongDigest { .. })), "{outcome:?}");
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_mirror_may_pack_anew_but_not_change_what_is_packed() {
        let out = TempDir::new().unwrap();
        let server = Server::start(packed(&bytes()), &[]);

        let right = fetched(&published(Proof::Unpacked, &bytes()), &server, out.path()).await.0;
        let wrong = fetched(&published(Proof::Unpacked, b"another"), &server, out.path()).await.0;

        assert!(right.is_ok(), "{right:?}");
        assert!(matches!(wrong, Err(Error::WrongDigest { .. })), "{wrong:?}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_said_to_be_refused() {
        let (set, out) = (published(Proof::Packed, &bytes()), TempDir::new().unwrap());
        let server = Server::start(bytes(), &[Answer::NotFound]);

        let (outcome, _) = fetched(&set, &server, out.path()).await;

        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("file.gz was refused: 404"), "{error}");
    }

    #[test]
    fn a_named_data_set_is_found_in_the_cache_or_asked_for() {
        let cache = TempDir::new().unwrap();

        let missing = fetch::locate(Path::new("kmnist"), cache.path()).unwrap_err();
        fs::create_dir(cache.path().join("kmnist")).unwrap();
        for file in KMNIST.files {
            fs::write(cache.path().join("kmnist").join(file.name), "").unwrap();
        }
        let found = fetch::locate(Path::new("kmnist"), cache.path()).unwrap();

        assert!(missing.to_string().contains("kana data fetch kmnist"), "{missing}");
        assert_eq!(found, cache.path().join("kmnist"));
        assert_eq!(fetch::locate(Path::new("./kmnist"), cache.path()).unwrap(), Path::new("./kmnist"));
    }
}
