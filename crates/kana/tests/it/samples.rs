//! Does `kana data samples` write the images that it promises?

use std::fs;
use std::path::Path;
use std::process::Output;

use kana_engine::image::decode::decode;
use kana_train::data::strokes;
use tempfile::tempdir;

use crate::support::process::kana;

/// Side of the images that the built-in model takes, in pixels.
const SIDE: usize = 28;

fn samples(arguments: &[&str], out: &Path) -> Output {
    kana().args(["data", "samples"]).args(arguments).arg("--out").arg(out).output().expect("kana runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Reads the file of sample `number` in `folder`.
fn sample(folder: &Path, number: usize) -> Vec<u8> {
    fs::read(folder.join(format!("sample_{number}.png"))).expect("a sample")
}

/// Encodes the header of an IDX file of unsigned bytes.
fn header(dimensions: u8, sizes: &[u32]) -> Vec<u8> {
    [&[0, 0, 8, dimensions], sizes.iter().copied().flat_map(u32::to_be_bytes).collect::<Vec<_>>().as_slice()].concat()
}

#[test]
fn without_a_data_set_all_kana_are_drawn_in_turn() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("new/samples");

    let output = samples(&[], &out);

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 21);
    for number in 0..21 {
        let picture = decode(&sample(&out, number)).expect("a picture");
        let drawn = strokes::draw(number % strokes::COUNT, number as u64, SIDE);
        assert_eq!((picture.width(), picture.height()), (SIDE, SIDE));
        assert_eq!(picture.samples(), drawn.pixels(), "sample {number}");
    }
}

#[test]
fn the_same_command_writes_the_same_bytes() {
    let folder = tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));

    samples(&["--count", "12"], &first);
    samples(&["--count", "12"], &second);

    for number in 0..12 {
        assert_eq!(sample(&first, number), sample(&second, number), "sample {number}");
    }
}

#[test]
fn samples_of_a_data_set_have_its_pixels() {
    let folder = tempdir().unwrap();
    let pixels: Vec<u8> = (0..36).map(|pixel| pixel * 7).collect();
    fs::write(folder.path().join("t10k-images-idx3-ubyte"), [&header(3, &[6, 2, 3]), &pixels[..]].concat()).unwrap();
    fs::write(folder.path().join("t10k-labels-idx1-ubyte"), [&header(1, &[6])[..], &[0, 1, 2, 3, 4, 5]].concat())
        .unwrap();
    let data = folder.path().to_str().expect("a name in UTF-8");
    let out = folder.path().join("samples");

    let output = samples(&["--data", data, "--count", "6"], &out);

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for (number, expected) in pixels.chunks_exact(6).enumerate() {
        assert_eq!(decode(&sample(&out, number)).expect("a picture").samples(), expected, "sample {number}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("a file");
    fs::write(&file, "in the way").unwrap();

    let output = samples(&[], &file.join("samples"));

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&file.display().to_string()), "{}", stderr(&output));
}

#[test]
fn a_folder_without_a_data_set_is_named() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().expect("a name in UTF-8");

    let output = samples(&["--data", data], &folder.path().join("samples"));

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(data), "{}", stderr(&output));
}
