//! Do the fakes and proxies work that the tests of a queue on a server use?

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use kana_queue::clock::Timestamp;

use crate::support::proxy::{Proxy, Way};
use crate::support::redis::{Options, RedisServer};
use crate::support::time::Time;

const DAWN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[test]
fn a_servers_clock_stands_still_until_it_is_moved() {
    let server = RedisServer::with_manual_clock(DAWN);
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
    let server = RedisServer::with_manual_clock(DAWN);
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

/// Long enough to be sure that nothing comes that is not held back.
const SILENCE: Duration = Duration::from_millis(150);

/// Starts a server that sends back what it receives. Returns its port.
fn an_echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let (mut reader, mut writer) = (stream.try_clone().expect("a stream"), stream);
                let _ = std::io::copy(&mut reader, &mut writer);
                let _ = writer.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    port
}

/// A connection by way of a proxy.
struct Caller(TcpStream);

impl Caller {
    fn through(proxy: &Proxy) -> Self {
        Self(TcpStream::connect(("127.0.0.1", proxy.port())).expect("a proxy that accepts"))
    }

    fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).expect("a connection");
    }

    fn hear(&mut self, wait: Duration) -> Result<String, ErrorKind> {
        let mut buffer = [0; 64];
        self.0.set_read_timeout(Some(wait)).expect("a stream");
        let read = self.0.read(&mut buffer).map_err(|error| error.kind())?;
        Ok(String::from_utf8_lossy(&buffer[..read]).into_owned())
    }

    fn echo(&mut self, text: &str) -> Result<String, ErrorKind> {
        self.say(text);
        self.hear(Duration::from_secs(30))
    }

    /// Whether nothing comes, and no end either.
    fn hears_nothing(&mut self) -> bool {
        self.hear(SILENCE) == Err(ErrorKind::WouldBlock)
    }
}

#[test]
fn a_proxy_forwards_both_ways_and_passes_an_end_on() {
    let proxy = Proxy::before(an_echo());
    let mut caller = Caller::through(&proxy);

    let echo = caller.echo("one");
    caller.0.shutdown(std::net::Shutdown::Write).expect("a connection");

    assert_eq!(echo, Ok("one".to_owned()));
    assert_eq!(caller.hear(Duration::from_secs(30)), Ok(String::new()));
    assert_eq!((proxy.connections(), proxy.resets()), (1, 0));
}

#[test]
fn a_proxy_that_is_cut_closes_refuses_and_heals() {
    let proxy = Proxy::before(an_echo());
    let mut caller = Caller::through(&proxy);
    caller.echo("one").expect("an echo");

    proxy.cut();
    let closed = caller.hear(Duration::from_secs(30));
    while TcpStream::connect(("127.0.0.1", proxy.port())).is_ok() {}
    proxy.heal();
    while TcpStream::connect(("127.0.0.1", proxy.port())).is_err() {}

    assert_eq!(closed, Err(ErrorKind::ConnectionReset));
    assert_eq!(Caller::through(&proxy).echo("two"), Ok("two".to_owned()));
}

#[test]
fn a_proxy_that_stalls_accepts_and_holds_everything_back_until_it_heals() {
    let proxy = Proxy::before(an_echo());
    proxy.stall();
    let mut caller = Caller::through(&proxy);

    caller.say("one");
    let silence = caller.hears_nothing();
    proxy.heal();

    assert!(silence);
    assert_eq!(caller.hear(Duration::from_secs(30)), Ok("one".to_owned()));
}

#[test]
fn a_half_open_connection_swallows_one_way_and_is_reset_when_it_heals() {
    for way in [Way::ToServer, Way::ToClient] {
        let proxy = Proxy::before(an_echo());
        let mut caller = Caller::through(&proxy);
        proxy.half_open(way);

        caller.say("one");
        let silence = caller.hears_nothing();
        proxy.heal();

        assert!(silence, "{way:?}");
        assert_eq!(caller.hear(Duration::from_secs(30)), Err(ErrorKind::ConnectionReset), "{way:?}");
    }
}

#[test]
fn latency_delays_each_way() {
    let proxy = Proxy::before(an_echo());
    let mut caller = Caller::through(&proxy);
    proxy.latency(Duration::from_millis(40));
    let begun = Instant::now();

    let echo = caller.echo("one");

    assert_eq!(echo, Ok("one".to_owned()));
    assert!(begun.elapsed() >= Duration::from_millis(80), "{:?}", begun.elapsed());
}

#[test]
fn a_reset_lets_through_as_much_of_the_answer_as_it_was_told() {
    let proxy = Proxy::before(an_echo());
    let mut caller = Caller::through(&proxy);
    proxy.lose_reply_to("second", 3);

    let first = caller.echo("first");
    let cut_off = caller.echo("second");
    let end = caller.hear(Duration::from_secs(30));

    assert_eq!([first, cut_off], [Ok("first".to_owned()), Ok("sec".to_owned())]);
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
    assert_eq!(Caller::through(&proxy).echo("third"), Ok("third".to_owned()));
}

#[test]
fn random_resets_follow_from_their_seed_and_leave_most_alone() {
    let survived = |seed| {
        let proxy = Proxy::before(an_echo());
        proxy.reset_at_random(seed, 8);
        (0..64).map(|_| Caller::through(&proxy).echo("a word") == Ok("a word".to_owned())).collect::<Vec<_>>()
    };

    let (once, again, other) = (survived(1), survived(1), survived(2));

    assert_eq!(once, again);
    assert_ne!(once, other);
    let whole = once.iter().filter(|whole| **whole).count();
    assert!((32..64).contains(&whole), "{whole} of 64 were left alone");
}
