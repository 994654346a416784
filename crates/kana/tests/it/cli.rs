//! Does the command line print what it can do, and what was wrong?

use std::process::{Output, Stdio};

use kana_train::data::samples;
use tempfile::tempdir;

use crate::support::process::{Up, kana};
use crate::support::samples::pngs;

fn run(arguments: &[&str]) -> Output {
    kana().args(arguments).output().expect("kana runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn help_names_every_command() {
    let output = run(&["--help"]);

    assert_eq!(output.status.code(), Some(0));
    for command in [
        "up", "gateway", "worker", "train", "report", "evaluate", "predict", "export", "submit", "data", "dead",
        "bench",
    ] {
        assert!(stdout(&output).contains(&format!("\n  {command} ")), "{command} is missing");
    }
}

#[test]
fn a_bad_value_is_named_and_exits_with_2() {
    for (arguments, value) in [
        (&["up", "--inference-delay", "half a second"][..], "half a second"),
        (&["up", "--listen", "localhost:http"], "localhost:http"),
        (&["up", "--min", "-1"], "-1"),
        (&["up", "--min", "5", "--max", "2"], "--min 5 --max 2"),
        (&["up", "--max", "65"], "65"),
        (&["up", "--batch-max", "0"], "'0'"),
        (&["up", "--lease", "0s"], "'0s'"),
        (&["up", "--listen", "0.0.0.0:0"], "0.0.0.0:0"),
        (&["up", "--log", "kana=loud"], "kana=loud"),
        (&["worker", "--queue", "postgres:x"], "postgres:x"),
        (&["worker", "--queue", "memory:"], "memory:"),
        (&["gateway", "--queue", "memory:", "--listen", "127.0.0.1:0"], "memory:"),
        (&["train", "--data", "x", "--out", "y", "--device", "abacus"], "abacus"),
        #[cfg(not(feature = "gpu"))]
        (&["train", "--data", "x", "--out", "y", "--device", "gpu"], "--features gpu"),
        (&["train", "--data", "x", "--out", "y", "--dropout", "0.7"], "0.7"),
        (&["train", "--data", "x", "--out", "y", "--learning-rate", "NaN"], "NaN"),
        (&["predict", "--threads", "0", "a.png"], "'0'"),
        (&["worker", "--queue", "sqlite:x", "--threads", "2000"], "2000"),
        (&["export"], "--onnx"),
        (&["predict", "--instructions", "mmx", "a.png"], "portable"),
        (&["evaluate"], "--data"),
        (&["dance"], "dance"),
    ] {
        let output = run(arguments);

        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(value), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_flag_can_come_from_the_environment() {
    let output = kana().args(["up"]).env("KANA_BATCH_MAX", "many").output().expect("kana runs");

    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("many"), "{}", stderr(&output));
}

#[test]
fn an_error_of_a_value_from_the_environment_names_the_variable_and_never_a_password() {
    for (arguments, variable, value, code) in [
        (&["up"][..], "KANA_BATCH_MAX", "many", 2),
        (&["up"], "KANA_INSECURE", "maybe", 2),
        (&["up"], "KANA_LISTEN", "0.0.0.0:0", 2),
        (&["up"], "KANA_LOG", "kana=loud", 2),
        (&["up"], "KANA_MODEL", "/nowhere/at/all", 1),
        (&["up"], "KANA_TOKENS", "/nowhere/at/all", 1),
        (&["worker"], "KANA_QUEUE", "redis://me:s3cret@cache?colour=red", 2),
        (&["predict", "picture.png"], "KANA_MODEL", "/nowhere/at/all", 1),
    ] {
        let output = kana().args(arguments).env(variable, value).output().expect("kana runs");

        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{variable}={value}: {text}");
        assert!(text.contains(variable) && !text.contains("s3cret"), "{variable}={value}: {text}");
    }
}

#[test]
fn help_shows_no_password() {
    let output = kana().args(["worker", "--help"]).env("KANA_QUEUE", "redis://me:s3cret@cache").output().expect("runs");

    assert!(stdout(&output).contains("KANA_QUEUE") && !stdout(&output).contains("s3cret"), "{}", stdout(&output));
}

#[test]
fn the_error_that_ends_a_process_is_a_line_of_json_where_the_log_is() {
    for arguments in [
        &["up", "--model", "/nowhere"][..],
        &["gateway", "--queue", "sqlite:/proc/nowhere/at/all"],
        &["worker", "--queue", "memory:"],
        &["up", "--lease", "a while"],
        &["submit", "/nowhere/picture.png"],
        &["dance"],
    ] {
        let output = kana().args(arguments).env("KANA_LOG_FORMAT", "json").output().expect("kana runs");

        let lines: Vec<_> = stderr(&output).lines().map(serde_json::from_str::<serde_json::Value>).collect();
        let last = lines.last().and_then(|line| line.as_ref().ok());
        assert!(lines.iter().all(Result::is_ok), "{arguments:?}: {}", stderr(&output));
        assert_eq!(last.map(|line| &line["level"]), Some(&"ERROR".into()), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_client_for_plain_http_needs_no_certificate_authorities_and_one_for_https_says_so() {
    let run = |server: &str| {
        let arguments = ["dead", "list", "--server", server];
        // Nothing listens on port 1: the client must get as far as finding that out.
        let mut command = kana();
        command.args(arguments).env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", "/nowhere");
        stderr(&command.output().expect("kana runs"))
    };

    let (plain, secure) = (run("http://127.0.0.1:1"), run("https://127.0.0.1:1"));

    assert!(plain.contains("refused"), "{plain}");
    assert!(cfg!(target_vendor = "apple") || secure.contains("certificate authorities"), "{secure}");
}

#[test]
fn data_sets_without_a_home_are_refused_with_what_to_do() {
    let mut command = kana();
    command.args(["evaluate", "--data", "kmnist"]).env_remove("HOME").env_remove("XDG_DATA_HOME");

    let output = command.output().expect("kana runs");

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("XDG_DATA_HOME"), "{}", stderr(&output));
}

// The file systems of other systems refuse such names.
#[cfg(target_os = "linux")]
#[test]
fn paths_that_are_no_text_are_read_and_printed_with_their_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let folder = tempdir().unwrap();
    let out = folder.path().join(OsStr::from_bytes(b"caf\xe9"));

    let written = kana().args(["data", "samples", "--count", "1", "--out"]).arg(&out).output().expect("kana runs");
    let file = out.join("sample_0.png");
    let read = kana().arg("predict").arg(&file).output().expect("kana runs");

    assert!(written.stdout.starts_with(file.as_os_str().as_bytes()), "{}", stdout(&written));
    assert!(read.stdout.trim_ascii_end().ends_with(file.as_os_str().as_bytes()), "{}", stderr(&read));
}

#[test]
fn a_failure_prints_its_causes_and_exits_with_1() {
    let output = run(&["predict", "--model", "/nowhere/at/all", "picture.png"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nowhere/at/all"), "{}", stderr(&output));
    assert!(stderr(&output).contains("because:"), "{}", stderr(&output));
}

#[test]
fn files_that_are_no_images_are_named_and_the_others_are_still_read() {
    let folder = tempdir().unwrap();
    let (good, bad) = (folder.path().join("good.png"), folder.path().join("bad.png"));
    std::fs::write(&good, &pngs(1)[0].1).unwrap();
    std::fs::write(&bad, "not a picture").unwrap();

    let output = kana().args(["predict", "--json"]).args([&bad, &good]).output().expect("kana runs");

    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["file"], bad.to_str().unwrap());
    assert!(lines[0]["error"].as_str().is_some_and(|error| error.contains("text")), "{}", lines[0]);
    assert_eq!(lines[1]["probabilities"].as_array().map(Vec::len), Some(10));
}

#[test]
fn files_are_classified_in_their_order_on_any_number_of_threads() {
    let folder = tempdir().unwrap();
    let files: Vec<_> = (0..40).map(|number| folder.path().join(format!("{number}.png"))).collect();
    for (file, (_, bytes)) in files.iter().zip(pngs(40)) {
        std::fs::write(file, bytes).unwrap();
    }
    std::fs::write(&files[21], "not a picture").unwrap();

    let outputs = ["1", "2", "3", "64"].map(|threads| {
        let output = kana().args(["predict", "--json", "--threads", threads]).args(&files).output().expect("kana runs");
        assert_eq!(output.status.code(), Some(1), "{threads}: {}", stderr(&output));
        stdout(&output)
    });

    let names = outputs[0].lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["file"].clone());
    assert!(names.eq(files.iter().map(|file| serde_json::json!(file))), "{}", outputs[0]);
    assert!(outputs.iter().all(|output| *output == outputs[0]), "{outputs:?}");
}

#[tokio::test]
async fn a_worker_says_which_instructions_it_computes_with_and_kana_up_chooses_them() {
    let data = tempdir().unwrap();

    let up = Up::start(data.path(), &["--min", "1", "--instructions", "portable"]).await;

    up.logged("classifies by portable, threads: 1").await;
}

#[test]
fn every_layer_of_a_model_is_explained() {
    let text = run(&["evaluate", "--explain", "--instructions", "portable"]);
    let json = run(&["evaluate", "--explain", "--json"]);

    assert!(stdout(&text).starts_with("instructions portable"), "{}", stdout(&text));
    let explanation: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let layers = explanation["layers"].as_array().unwrap();
    let names: Vec<_> = layers.iter().filter_map(|layer| layer["name"].as_str()).collect();
    assert_eq!(names, ["conv1", "conv2", "conv3", "conv4", "dense1", "dense2"]);
    assert!(layers.iter().all(|layer| layer["micros"].as_f64().is_some_and(|micros| micros > 0.0)), "{explanation}");
}

#[test]
fn a_trial_on_a_folder_of_pictures_leaves_a_model_and_a_report() {
    let folder = tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    for number in 0..200 {
        let class = data.join(samples::class(number).to_string());
        std::fs::create_dir_all(&class).unwrap();
        let picture = samples::encode_png(&samples::draw(number)).expect("a grey picture");
        std::fs::write(class.join(format!("{number:03}.png")), picture).unwrap();
    }

    let [data, out] = [&data, &out].map(|path| path.to_str().unwrap());
    let trained = run(&["train", "--width", "4", "--data", data, "--out", out, "--fast-dev-run"]);
    let report = run(&["report", "--run", out]);
    let evaluated = run(&["evaluate", "--model", out, "--data", data]);
    let searched = run(&["train", "--width", "4", "--data", data, "--lr-find"]);

    assert_eq!(trained.status.code(), Some(0), "{}", stderr(&trained));
    assert_eq!(stdout(&trained).trim_end(), out);
    let page = format!("{out}/report.html");
    assert!(stderr(&trained).contains(&page), "{}", stderr(&trained));
    assert_eq!(stdout(&report).trim_end(), page);
    assert!(stderr(&evaluated).contains("--all evaluates it anyway"), "{}", stderr(&evaluated));
    assert!(stdout(&searched).starts_with("rate\tloss\n1.000e-6\t"), "{}", stdout(&searched));
    assert!(stderr(&searched).contains("suggested: --learning-rate "), "{}", stderr(&searched));
}

#[test]
fn a_model_is_exported_to_the_named_file() {
    let folder = tempdir().unwrap();
    let (file, nowhere) = (folder.path().join("kana.onnx"), folder.path().join("nowhere/kana.onnx"));

    let written = kana().args(["export", "--onnx"]).arg(&file).output().expect("kana runs");
    let failed = kana().args(["export", "--onnx"]).arg(&nowhere).output().expect("kana runs");

    assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
    assert_eq!(stdout(&written).trim_end(), file.to_str().unwrap());
    assert!(std::fs::metadata(&file).unwrap().len() > 100_000, "the weights are in it");
    assert_eq!(failed.status.code(), Some(1));
    assert!(stderr(&failed).contains(nowhere.to_str().unwrap()), "{}", stderr(&failed));
}

#[test]
fn a_closed_output_is_no_panic() {
    let mut child = kana().arg("openapi").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kana runs");

    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();

    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_description_of_the_http_interface_can_be_printed() {
    let output = run(&["openapi"]);

    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["paths"]["/v1/jobs"].is_object());
}

#[test]
fn samples_are_numbered_and_can_be_read() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("samples");

    let written = kana().args(["data", "samples", "--count", "21", "--out"]).arg(&out).output().expect("kana runs");
    let files: Vec<_> = (0..21).map(|n| out.join(format!("sample_{n}.png"))).collect();
    let read = kana().args(["predict"]).args(&files).output().expect("kana runs");

    assert_eq!((written.status.code(), read.status.code()), (Some(0), Some(0)), "{}", stderr(&written));
    assert_eq!((stdout(&written).lines().count(), stdout(&read).lines().count()), (21, 21));
}

#[tokio::test]
async fn files_are_submitted_and_their_outcomes_printed_one_a_line() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let up = Up::start(data.path(), &[]).await;
    let files: Vec<_> = pngs(21).into_iter().map(|(name, bytes)| (folder.path().join(name), bytes)).collect();
    files.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());

    let output =
        kana().args(["submit", "--server", &up.url]).args(files.iter().map(|(path, _)| path)).output().unwrap();

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 21);
    assert!(lines.iter().all(|line| line["state"] == "done"), "{lines:?}");
}

#[tokio::test]
async fn a_service_without_dead_letters_lists_none() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &["--min", "0"]).await;

    let output = run(&["dead", "list", "--json", "--server", &up.url]);

    assert_eq!((output.status.code(), stdout(&output).trim()), (Some(0), "[]"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_bench_prints_its_latencies() {
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &[]).await;

    let output = run(&["bench", "--json", "--requests", "10", "--server", &up.url]);

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["done"], 10);
    assert!(report["latency_ms"]["p50"].as_f64().is_some_and(|p50| p50 > 0.0), "{report}");
}
