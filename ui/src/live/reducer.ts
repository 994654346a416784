// What is the state of the page after an action?
//
// Pure: the time comes with the action, so tests need neither clock nor network.
import type { Pod } from "../api/types";
import type { ServerEvent } from "./decode";
import { addBatch, removeSettled, updateJobs } from "./batches";
import { CONSOLE_MAX, GONE_SHOWN, HISTORY_MAX, type Action, type PodView, type State } from "./state";

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "connection":
      return { ...state, connection: action.connection };
    case "events":
      return applyAll(state, action.events, action.at);
    case "accepted":
      return addBatch(state, action.batch, action.jobs);
    case "refreshed":
      return updateJobs(state, action.jobs);
    case "expired":
      return {
        ...state,
        batches: state.batches.map((batch) => (batch.id === action.batch ? { ...batch, expired: true } : batch)),
      };
    case "cleared":
      return removeSettled(state);
    case "tick": {
      const pods = state.pods.filter(({ goneAt }) => goneAt === null || action.at - goneAt < GONE_SHOWN);
      return pods.length === state.pods.length ? state : { ...state, pods };
    }
  }
}

// Jobs come in hundreds and change only their own maps, so they are applied together.
function applyAll(state: State, events: readonly ServerEvent[], at: number): State {
  const jobs = events.flatMap((event) => (event.type === "job" ? [event.job] : []));
  return events.reduce((now, event) => apply(now, event, at), updateJobs(state, jobs));
}

function apply(state: State, event: ServerEvent, at: number): State {
  switch (event.type) {
    case "job":
      return state;
    case "pod":
      return { ...state, pods: withPod(state.pods, event.pod, at) };
    case "scale":
      return { ...state, scale: event.scale };
    case "queue": {
      const depth = event.queue.waiting + event.queue.running;
      return { ...state, queue: event.queue, history: [...state.history, depth].slice(-HISTORY_MAX) };
    }
    case "console": {
      const seq = (state.console.at(-1)?.seq ?? 0) + 1;
      return { ...state, console: [...state.console, { ...event.console, seq }].slice(-CONSOLE_MAX) };
    }
    case "trouble":
      return { ...state, podsError: event.error.reason ?? null };
    case "reset":
      // The next events carry the whole present state. Batches and console are history of this page and stay.
      return { ...state, epoch: state.epoch + 1, pods: [], scale: null, podsError: null, queue: null, history: [] };
  }
}

function withPod(pods: readonly PodView[], pod: Pod, at: number): readonly PodView[] {
  const known = pods.find(({ name }) => name === pod.name);
  // A pod that ended before this page saw it is not shown.
  if (!known && pod.phase === "gone") return pods;
  // The last event of a pod may omit its counts.
  const goneAt = pod.phase === "gone" ? (known?.goneAt ?? at) : null;
  const view = { ...known, ...pod, goneAt };
  const others = pods.filter(({ name }) => name !== pod.name);
  return [...others, view].sort((a, b) => a.created - b.created || a.name.localeCompare(b.name));
}
