//! Follows an operation of a stack to its end, also one of somebody else.

use super::patience::Patience;
use super::progress::Step;
use super::run::id_in_token;
use super::stop::Stop;
use super::{Session, cause};
use crate::aws::cloudformation::Event;
use crate::error::Result;
use crate::plan::deployed::{Stack, StackState, Status};

/// How often the status is asked for without a sign of the operation, before it is believed: the first answers after
/// the start may still be the old ones.
const STALE_ANSWERS: usize = 3;
/// The reason of the event with which an operation begins.
const BEGINNING: &str = "User Initiated";

/// How an operation ended, and all that happened.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) stack: Stack,
    /// Of this operation only, in the order in which they happened.
    pub(super) events: Vec<Event>,
}

/// Where the events of an operation begin. Clocks are not asked: the one of AWS is another than ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Anchor {
    /// After this event, which was the newest before the operation began.
    After(String),
    /// With the first event of this client request token.
    Token(String),
    /// With the first event of the stack, which comes into being with the operation.
    First,
    /// With the first event of the operation that is under way.
    Running,
}

impl Anchor {
    /// Whether an event, looked at from the newest to the oldest, is from before; `last` was read already.
    fn known(&self, last: Option<&Event>) -> impl FnMut(&Event) -> bool + Send + use<> {
        let (anchor, last) = (self.clone(), last.map(|event| event.id.clone()));
        let mut operation: Option<Option<String>> = None;
        let mut began = false;
        move |event| match (&last, &anchor) {
            (Some(last), _) | (None, Self::After(last)) => event.id == *last,
            (None, Self::Token(token)) => event.token.as_deref() != Some(token),
            (None, Self::First) => false,
            (None, Self::Running) => {
                let own = event.token.clone().or_else(|| event.operation.clone());
                if began || *operation.get_or_insert_with(|| own.clone()) != own {
                    return true;
                }
                began = event.of_stack() && event.reason.as_deref() == Some(BEGINNING);
                false
            }
        }
    }
}

impl Session {
    /// Where the events of an operation that is about to be started will begin.
    pub(super) async fn anchor(&self, arn: &str, token: &str) -> Anchor {
        match self.target.aws.cloudformation.last_event(arn).await {
            Ok(Some(event)) => Anchor::After(event.id),
            _ => Anchor::Token(token.to_owned()),
        }
    }

    /// Follows an operation that this run started under a token, and reports what happens.
    pub(super) async fn follow(&self, name: &str, arn: &str, anchor: Anchor, token: &str) -> Result<Ended> {
        let mut patience = Patience::new(self.target.aws.pace);
        let mut events: Vec<Event> = Vec::new();
        let mut asked = 0;
        loop {
            let (begun, over_before) = (!events.is_empty(), over(&events, token).is_some());
            // Asked together, to save a round trip: one response may be older than the other.
            let status = self.target.aws.cloudformation.stack(arn);
            let (found, ()) = tokio::join!(status, self.read_events(name, arn, &anchor, &mut events));
            if let Some(found) = patience.tolerate(found)? {
                let stack = found.unwrap_or_else(|| gone(arn));
                asked += 1;
                let over = over(&events, token).is_some();
                // A stack that did not exist before has no older status to be at rest in.
                let believed = begun || asked > STALE_ANSWERS || (over && anchor == Anchor::First);
                if stack.status.settled() && believed {
                    if !over {
                        // The reason of a failure may have come after the last look.
                        self.read_events(name, arn, &anchor, &mut events).await;
                    }
                    return Ok(ended(stack, events, token));
                }
                // Somebody else was quick to begin the next operation: ours has ended all the same.
                if over_before {
                    return Ok(ended(stack, events, token));
                }
            }
            patience.pause().await;
        }
    }

    /// Follows the running operation, also one of somebody else, and reports what happens.
    async fn attach(&self, name: &str, stack: &Stack) -> Result<Ended> {
        let arn = &stack.id;
        let starter = self.target.aws.cloudformation.last_token(arn).await.ok().flatten();
        let who = match starter.as_deref().and_then(|token| id_in_token(token, name)) {
            Some(run) if run == self.run.id => "an earlier run of this plan".to_owned(),
            Some(run) => format!("another deploy (run {run})"),
            None => "another operation".to_owned(),
        };
        let what = format!("waits for {who} to end ({})", stack.status);
        self.reporter.emit(Step::Stack { stack: name.to_owned(), what });
        let mut patience = Patience::new(self.target.aws.pace);
        let mut events: Vec<Event> = Vec::new();
        loop {
            self.read_events(name, arn, &Anchor::Running, &mut events).await;
            if let Some(found) = patience.tolerate(self.target.aws.cloudformation.stack(arn).await)? {
                let now = found.unwrap_or_else(|| gone(arn));
                if now.status.state() != StackState::Busy {
                    self.read_events(name, arn, &Anchor::Running, &mut events).await;
                    return Ok(Ended { stack: now, events });
                }
                if self.run.stop.requested() {
                    return Err(Stop::error(&format!("`{}` is still in {}", stack.name, now.status)));
                }
            }
            patience.pause().await;
        }
    }

    /// Reads and reports new events. They are there for people to see: not to get them is no failure.
    async fn read_events(&self, name: &str, arn: &str, anchor: &Anchor, events: &mut Vec<Event>) {
        let new = self.target.aws.cloudformation.events_until(arn, anchor.known(events.last())).await;
        for event in new.unwrap_or_default() {
            if events.iter().any(|known| known.id == event.id) {
                continue;
            }
            let event = self.reporter.redactor.event(name, event);
            if !event.of_stack() {
                self.reporter.emit(Step::Resource {
                    stack: name.to_owned(),
                    logical_id: event.logical_id.clone(),
                    resource_type: event.resource_type.clone(),
                    status: event.status.clone(),
                    reason: event.reason.clone(),
                });
            }
            events.push(event);
        }
    }

    /// Waits for operations that others have under way on a stack, then returns the stack.
    pub(super) async fn settled(&self, name: &str, stack_name: &str) -> Result<Option<Stack>> {
        let mut patience = Patience::new(self.target.aws.pace);
        loop {
            if let Some(found) = patience.tolerate(self.target.aws.cloudformation.stack(stack_name).await)? {
                match found {
                    Some(stack) if stack.status.state() == StackState::Busy => {
                        let ended = self.attach(name, &stack).await?;
                        if !ended.stack.status.succeeded()
                            && let Some(why) = cause::root(&ended.events)
                        {
                            let text = format!("`{}` went to {}: {why}", stack.name, ended.stack.status);
                            self.reporter.emit(Step::Note(text));
                        }
                        continue;
                    }
                    found => return Ok(found),
                }
            }
            patience.pause().await;
        }
    }
}

/// The last event of an operation.
fn over<'a>(events: &'a [Event], token: &str) -> Option<&'a Event> {
    let mut own = events.iter().filter(|event| event.of_stack() && event.token.as_deref() == Some(token));
    own.next_back().filter(|event| Status(event.status.clone()).settled())
}

/// What came of an operation: its own events say it best, as the stack may have gone on since.
fn ended(mut stack: Stack, mut events: Vec<Event>, token: &str) -> Ended {
    if let Some(end) = over(&events, token) {
        if stack.status.0 != end.status {
            stack.status_reason.clone_from(&end.reason);
        }
        stack.status = Status(end.status.clone());
    }
    if events.iter().any(|event| event.token.as_deref() == Some(token)) {
        events.retain(|event| event.token.as_deref() == Some(token));
    }
    Ended { stack, events }
}

/// A stack that cannot be found any more, not even by its ARN.
fn gone(arn: &str) -> Stack {
    Stack { id: arn.to_owned(), status: Status("DELETE_COMPLETE".to_owned()), ..Stack::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, token: Option<&str>, beginning: bool) -> Event {
        Event {
            id: id.into(),
            resource_type: if beginning { "AWS::CloudFormation::Stack" } else { "AWS::S3::Bucket" }.into(),
            status: "UPDATE_IN_PROGRESS".into(),
            reason: beginning.then(|| BEGINNING.to_owned()),
            token: token.map(str::to_owned),
            ..Event::default()
        }
    }

    /// The ids that are read, of events from the newest to the oldest.
    fn read(anchor: &Anchor, last: Option<&Event>, events: &[Event]) -> Vec<String> {
        let mut known = anchor.known(last);
        events.iter().take_while(|event| !known(event)).map(|event| event.id.clone()).collect()
    }

    #[test]
    fn the_events_of_an_operation_begin_at_its_anchor() {
        let events = [
            event("5", Some("b"), false),
            event("4", Some("b"), true),
            event("3", Some("a"), false),
            event("2", None, false),
            event("1", None, true),
        ];
        assert_eq!(read(&Anchor::After("3".into()), None, &events), ["5", "4"]);
        assert_eq!(read(&Anchor::Token("b".into()), None, &events), ["5", "4"]);
        assert_eq!(read(&Anchor::Running, None, &events), ["5", "4"]);
        assert_eq!(read(&Anchor::Running, Some(&events[1]), &events), ["5"]);
        // Started without a token: the event that began it is the only mark.
        assert_eq!(read(&Anchor::Running, None, &events[3..]), ["2", "1"]);
        let before = [event("2", None, false), event("1", None, true), event("0", None, false)];
        assert_eq!(read(&Anchor::Running, None, &before), ["2", "1"]);
    }

    #[test]
    fn an_operation_ends_with_its_own_events() {
        let own = |id: &str, status: &str| Event { status: status.into(), ..event(id, Some("a"), true) };
        let stack = Stack { status: Status("UPDATE_IN_PROGRESS".into()), ..Stack::default() };
        let events = vec![own("1", "UPDATE_IN_PROGRESS"), own("2", "UPDATE_COMPLETE"), event("3", Some("b"), true)];
        let ended = ended(stack, events, "a");
        assert_eq!((ended.stack.status.as_str(), ended.events.len()), ("UPDATE_COMPLETE", 2));
    }
}
