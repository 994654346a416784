//! How do callers of one process share calls of Redis?
//!
//! A request that finds no call under way is sent at once, alone, and so is a second one beside it: neither of two callers
//! waits for the other. What comes meanwhile waits, and the next call takes all of it, up to its bounds: a call costs
//! Redis far more than one job more in it does. With more calls under way each would have fewer requests and cost as much.
//! Each caller gets its own answer; only what becomes of the call itself, such as a broken connection, is the same for all.
//!
//! A task sends the calls, not a caller, so that a caller may be dropped at any moment: what it asked for is left out
//! where no call has taken it yet, and otherwise happens. The others never learn of it.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::queue::Error;

use super::error::BoxError;

/// Jobs in one call, at most: Redis answers nobody else while a call runs, and this many take a few milliseconds. A
/// request that has more goes alone.
pub const JOBS_PER_CALL: usize = 200;

/// Bytes in one call, at most: Lua copies and hashes each of them, and 1 MiB takes some two milliseconds. A request
/// that has more goes alone.
const BYTES_PER_CALL: usize = 1024 * 1024;

/// A function of Redis that answers several requests in one call.
#[async_trait]
pub trait Call: Send + Sync + 'static {
    /// What one caller asks.
    type Request: Send + Sync;
    /// What it is answered, where Redis answered.
    type Answer: Send;
    /// What is attempted, for messages.
    const ACTION: &'static str;

    /// What a request adds to a call.
    fn size(request: &Self::Request) -> Size;

    /// Calls Redis, and returns one answer for each request, in their order.
    async fn call(&self, requests: &[Self::Request]) -> Result<Vec<Self::Answer>, Error>;
}

/// What a call holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Jobs, which Redis spends time on.
    pub jobs: usize,
    /// Bytes, which Lua copies.
    pub bytes: usize,
}

impl Size {
    fn plus(self, other: Self) -> Self {
        Self { jobs: self.jobs.saturating_add(other.jobs), bytes: self.bytes.saturating_add(other.bytes) }
    }

    fn is_within_bounds(self) -> bool {
        self.jobs <= JOBS_PER_CALL && self.bytes <= BYTES_PER_CALL
    }
}

/// The callers of one function, in the groups that share a call.
pub struct Groups<C: Call>(Arc<Shared<C>>);

struct Shared<C: Call> {
    call: C,
    state: Mutex<State<C>>,
}

struct State<C: Call> {
    waiting: VecDeque<Waiting<C>>,
    /// Tasks that send calls.
    senders: usize,
    /// Requests in the calls that they have sent.
    under_way: usize,
}

/// Whether a call may begin, where so many other senders have sent so many requests.
fn is_turn(others: usize, under_way: usize) -> bool {
    others == 0 || others == 1 && under_way == 1
}

/// A request that no call has taken yet.
struct Waiting<C: Call> {
    request: C::Request,
    size: Size,
    caller: oneshot::Sender<Result<C::Answer, Error>>,
}

/// The requests of one call, and who waits for each answer.
struct Group<C: Call> {
    requests: Vec<C::Request>,
    callers: Vec<oneshot::Sender<Result<C::Answer, Error>>>,
}

impl<C: Call> Groups<C> {
    /// Creates the groups of `call`, none of them under way.
    pub fn new(call: C) -> Self {
        Self(Arc::new(Shared { call, state: Mutex::new(State { waiting: VecDeque::new(), senders: 0, under_way: 0 }) }))
    }

    /// Asks in the next call, together with whoever else waits for it.
    pub async fn ask(&self, request: C::Request) -> Result<C::Answer, Error> {
        let (caller, answer) = oneshot::channel();
        let size = C::size(&request);
        let sender = {
            let mut state = self.0.state.lock();
            state.waiting.push_back(Waiting { request, size, caller });
            is_turn(state.senders, state.under_way).then(|| {
                state.senders += 1;
                Sender { shared: Arc::clone(&self.0), sent: 0, has_ended: false }
            })
        };
        if let Some(sender) = sender {
            #[expect(
                clippy::disallowed_methods,
                reason = "the task ends once nobody waits for it; a queue has no shutdown to join"
            )]
            tokio::spawn(sender.run());
        }
        answer.await.unwrap_or_else(|source| Err(Error::Unavailable { action: C::ACTION, source: source.into() }))
    }
}

/// A task that sends one call after the other until nobody waits.
struct Sender<C: Call> {
    shared: Arc<Shared<C>>,
    /// Requests in its call.
    sent: usize,
    has_ended: bool,
}

impl<C: Call> Sender<C> {
    async fn run(mut self) {
        while let Some(Group { requests, callers }) = self.next_group() {
            let answers = each(self.shared.call.call(&requests).await, callers.len());
            for (caller, answer) in callers.into_iter().zip(answers) {
                // A caller that was dropped meanwhile wants no answer.
                drop(caller.send(answer));
            }
        }
    }

    /// Takes the requests of the next call; `None` where there are none, or another call takes them.
    fn next_group(&mut self) -> Option<Group<C>> {
        let mut state = self.shared.state.lock();
        state.under_way -= std::mem::take(&mut self.sent);
        if is_turn(state.senders - 1, state.under_way)
            && let Some(group) = state.take_group()
        {
            self.sent = group.requests.len();
            state.under_way += self.sent;
            return Some(group);
        }
        // Under the same lock: whoever comes next finds that a sender is missing.
        state.senders -= 1;
        self.has_ended = true;
        None
    }
}

impl<C: Call> State<C> {
    /// Takes, of those whose callers still wait, the oldest request and as many more as fit.
    fn take_group(&mut self) -> Option<Group<C>> {
        let (mut group, mut size) = (Group { requests: Vec::new(), callers: Vec::new() }, Size::default());
        while let Some(next) = self.waiting.front() {
            let is_wanted = !next.caller.is_closed();
            let with_next = size.plus(next.size);
            if is_wanted && !group.requests.is_empty() && !with_next.is_within_bounds() {
                break;
            }
            let Some(Waiting { request, caller, .. }) = self.waiting.pop_front() else { break };
            if is_wanted {
                size = with_next;
                group.requests.push(request);
                group.callers.push(caller);
            }
        }
        (!group.requests.is_empty()).then_some(group)
    }
}

impl<C: Call> Drop for Sender<C> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // Its runtime ended, or it panicked: whoever waits for it learns of that, and the next caller starts another.
        let mut state = self.shared.state.lock();
        state.senders -= 1;
        state.under_way -= self.sent;
        if state.senders == 0 {
            state.waiting.clear();
        }
    }
}

/// The answer of each of `count` callers: its own, or the error of the call, which all of them share.
fn each<A>(answers: Result<Vec<A>, Error>, count: usize) -> Vec<Result<A, Error>> {
    match answers {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(Error::NoSpace { action, source }) => {
            shared(source, count).map(|source| Err(Error::NoSpace { action, source })).collect()
        }
        Err(Error::Unavailable { action, source }) => {
            shared(source, count).map(|source| Err(Error::Unavailable { action, source })).collect()
        }
        // A call as a whole is refused by nothing else. Whoever gets no answer here learns that there is none.
        Err(error) => vec![Err(error)],
    }
}

/// One cause for several callers.
fn shared(source: BoxError, count: usize) -> impl Iterator<Item = BoxError> {
    let source: Arc<dyn std::error::Error + Send + Sync> = source.into();
    (0..count).map(move |_| Box::new(Arc::clone(&source)) as BoxError)
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// Answers each number with itself, once the test permits the call.
    struct Echo(Arc<Calls>);

    struct Calls {
        permits: Semaphore,
        begun: Mutex<Vec<Vec<usize>>>,
    }

    impl Default for Calls {
        fn default() -> Self {
            Self { permits: Semaphore::new(0), begun: Mutex::default() }
        }
    }

    /// A number that Redis refuses, and with it the whole call.
    const REFUSED: usize = 13;

    #[async_trait]
    impl Call for Echo {
        type Request = usize;
        type Answer = usize;
        const ACTION: &'static str = "echo";

        fn size(jobs: &usize) -> Size {
            Size { jobs: *jobs, bytes: 0 }
        }

        async fn call(&self, requests: &[usize]) -> Result<Vec<usize>, Error> {
            self.0.begun.lock().push(requests.to_vec());
            self.0.permits.acquire().await.expect("an open semaphore").forget();
            if requests.contains(&REFUSED) {
                return Err(Error::Unavailable { action: Self::ACTION, source: "refused".into() });
            }
            Ok(requests.to_vec())
        }
    }

    /// Calls that are under way when a test begins.
    const BEGUN: usize = 2;

    /// Groups with two calls under way already, which ask 1 and 2.
    async fn busy() -> (Arc<Groups<Echo>>, Arc<Calls>) {
        let calls = Arc::new(Calls::default());
        let groups = Arc::new(Groups::new(Echo(Arc::clone(&calls))));
        for number in 1..=BEGUN {
            ask(&groups, number);
            begun(&calls, number).await;
        }
        (groups, calls)
    }

    #[expect(clippy::disallowed_methods, reason = "the test waits for the task, or ends it")]
    fn ask(groups: &Arc<Groups<Echo>>, number: usize) -> tokio::task::JoinHandle<Result<usize, Error>> {
        let groups = Arc::clone(groups);
        tokio::task::spawn(async move { groups.ask(number).await })
    }

    /// Waits until so many calls have begun.
    async fn begun(calls: &Calls, count: usize) {
        while calls.begun.lock().len() < count {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until so many requests wait for a call.
    async fn waiting(groups: &Groups<Echo>, count: usize) {
        while groups.0.state.lock().waiting.len() < count {
            tokio::task::yield_now().await;
        }
    }

    fn calls_after_the_first(calls: &Calls) -> Vec<Vec<usize>> {
        calls.begun.lock()[BEGUN..].to_vec()
    }

    #[tokio::test]
    async fn what_is_asked_while_calls_are_under_way_goes_together_in_the_next() {
        let (groups, calls) = busy().await;
        let asked = [3, 4, 5].map(|number| ask(&groups, number));
        waiting(&groups, asked.len()).await;

        calls.permits.add_permits(BEGUN + 1);
        let answers = join_all(asked).await;

        assert_eq!(calls_after_the_first(&calls), [[3, 4, 5]]);
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("a task").expect("an answer")).collect();
        assert_eq!(answers, [3, 4, 5]);
    }

    #[tokio::test]
    async fn of_two_callers_neither_waits_for_the_other_and_a_third_waits() {
        let (groups, calls) = busy().await;

        let third = ask(&groups, 3);
        waiting(&groups, 1).await;

        assert_eq!(*calls.begun.lock(), [[1], [2]]);
        third.abort();
    }

    #[tokio::test]
    async fn no_call_begins_beside_one_that_several_share() {
        let (groups, calls) = busy().await;
        let shared = [3, 4].map(|number| ask(&groups, number));
        waiting(&groups, shared.len()).await;
        calls.permits.add_permits(BEGUN);
        begun(&calls, BEGUN + 1).await;

        let next = ask(&groups, 5);
        waiting(&groups, 1).await;
        assert_eq!(calls_after_the_first(&calls), [[3, 4]]);
        calls.permits.add_permits(2);

        assert_eq!(next.await.expect("a task").expect("an answer"), 5);
        assert_eq!(calls_after_the_first(&calls), [vec![3, 4], vec![5]]);
    }

    #[tokio::test]
    async fn a_call_takes_what_fits_and_a_request_that_never_fits_goes_alone() {
        let (groups, calls) = busy().await;
        let half = JOBS_PER_CALL / 2;
        let asked = [half, half, half, 2 * JOBS_PER_CALL, half].map(|number| ask(&groups, number));
        waiting(&groups, asked.len()).await;

        calls.permits.add_permits(BEGUN + asked.len());
        join_all(asked).await;

        assert_eq!(calls_after_the_first(&calls), [vec![half; 2], vec![half], vec![2 * JOBS_PER_CALL], vec![half]]);
    }

    #[tokio::test]
    async fn a_request_of_a_caller_that_was_dropped_is_left_out_and_the_others_are_sent() {
        let (groups, calls) = busy().await;
        let asked = [3, 4, 5].map(|number| ask(&groups, number));
        waiting(&groups, asked.len()).await;

        let [first, dropped, last] = asked;
        dropped.abort();
        drop(dropped.await);
        calls.permits.add_permits(BEGUN + 1);
        let answers = join_all([first, last]).await;

        assert_eq!(calls_after_the_first(&calls), [[3, 5]]);
        assert!(answers.iter().flatten().all(Result::is_ok), "{answers:?}");
    }

    #[tokio::test]
    async fn a_caller_that_is_dropped_while_its_call_is_under_way_takes_nobody_with_it() {
        let (groups, calls) = busy().await;
        let asked = [3, 4].map(|number| ask(&groups, number));
        waiting(&groups, asked.len()).await;
        calls.permits.add_permits(BEGUN);
        begun(&calls, BEGUN + 1).await;

        let [dropped, stays] = asked;
        dropped.abort();
        drop(dropped.await);
        calls.permits.add_permits(1);

        assert_eq!(stays.await.expect("a task").expect("an answer"), 4);
    }

    #[tokio::test]
    async fn an_error_of_a_call_reaches_everyone_who_shares_it_and_nobody_else() {
        let (groups, calls) = busy().await;
        let asked = [JOBS_PER_CALL, REFUSED, 3].map(|number| ask(&groups, number));
        waiting(&groups, asked.len()).await;

        calls.permits.add_permits(BEGUN + asked.len());
        let answers = join_all(asked).await;

        let says: Vec<_> = answers
            .into_iter()
            .map(|answer| match answer.expect("a task") {
                Ok(number) => number.to_string(),
                Err(Error::Unavailable { source, .. }) => source.to_string(),
                Err(error) => panic!("{error:?}"),
            })
            .collect();
        assert_eq!(says, ["200", "refused", "refused"]);
    }

    #[test]
    fn callers_whose_senders_ended_with_a_runtime_learn_of_it_and_the_next_is_answered() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (first, second) = (runtime(), runtime());
        let (groups, calls) = first.block_on(busy());
        let waits = {
            let _in_it = second.enter();
            ask(&groups, 3)
        };
        second.block_on(waiting(&groups, 1));

        drop(first);
        calls.permits.add_permits(1);
        let (waits, next) = second.block_on(async { (waits.await.expect("a task"), groups.ask(4).await) });

        assert!(matches!(waits, Err(Error::Unavailable { .. })), "{waits:?}");
        assert_eq!(next.expect("an answer"), 4);
    }
}
