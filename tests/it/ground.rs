//! Do the things hold that tests of a queue on a server stand on?

use std::time::Duration;

use kana::clock::Timestamp;

use crate::support::redis::{Options, RedisServer};
use crate::support::time::Time;

const DAWN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[test]
fn a_servers_clock_stands_still_until_it_is_moved() {
    let server = RedisServer::stopped_in_time(DAWN);
    let time = Time::from(DAWN).with(server.clock());

    let first = server.command(&["TIME"]);
    let second = server.command(&["EVAL", "return redis.call('TIME')", "0"]);
    time.advance(Duration::from_millis(1_500));
    let later = server.command(&["TIME"]);
    time.set_back(Duration::from_secs(86_400));
    let earlier = server.command(&["TIME"]);

    assert_eq!([first, second], ["1700000000\n0", "1700000000\n0"]);
    assert_eq!([later, earlier], ["1700000001\n500000", "1699913601\n500000"]);
}

#[test]
fn what_a_server_measures_by_its_clock_jumps_with_it() {
    let server = RedisServer::stopped_in_time(DAWN);
    let time = Time::from(DAWN).with(server.clock());
    server.command(&["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"]);
    let entry = server.command(&["XADD", "s", "*", "k", "v"]);
    server.command(&["XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">"]);
    server.command(&["SET", "key", "value", "PX", "6000"]);
    let idle = || server.command(&["XPENDING", "s", "g", "-", "+", "9"]);

    time.advance(Duration::from_millis(5_999));
    let (held, kept) = (idle(), server.command(&["PTTL", "key"]));
    // Redis lets a key live through its last millisecond.
    time.advance(Duration::from_millis(2));
    let gone = server.command(&["GET", "key"]);
    time.set_back(Duration::from_millis(4_001));
    let held_again = idle();

    assert_eq!(entry, "1700000000000-0");
    assert_eq!(held, format!("{entry}\na\n5999\n1"));
    assert_eq!([kept.as_str(), gone.as_str()], ["1", "(nil)"]);
    assert_eq!(held_again, format!("{entry}\na\n2000\n1"));
}

#[test]
fn a_server_that_is_killed_comes_back_with_what_it_wrote_to_disk() {
    let server = RedisServer::with(Options { append: Some("always"), password: Some("open"), ..Options::default() });
    server.command(&["SET", "key", "value"]);
    let (pid, port) = (server.pid(), server.port());

    server.kill();
    let away = server.ask(&["PING"]);
    server.restart();

    assert!(away.is_err());
    assert_eq!([server.command(&["PING"]), server.command(&["GET", "key"])], ["PONG", "value"]);
    assert!(server.pid() != pid && server.port() == port);
    assert_eq!(server.url(), format!("redis://:open@127.0.0.1:{port}"));
}

#[test]
fn a_server_that_is_stopped_answers_once_it_goes_on() {
    let server = RedisServer::start();
    server.stop();
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| server.command(&["PING"]));

        server.cont();

        asked.join().expect("no panic")
    });

    assert_eq!(answer, "PONG");
}
