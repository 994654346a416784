// What does the page know after something happened?
//
// Pure: the moment comes with the action, so tests need neither clock nor network.
import type { Pod } from "../api/types";
import type { ServerEvent } from "./decode";
import { accept, clear, hear } from "./ledger";
import { CONSOLE_MAX, GONE_SHOWN, HISTORY_MAX, type Action, type PodView, type State } from "./state";

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "connection":
      return { ...state, connection: action.connection };
    case "events":
      return take(state, action.events, action.at);
    case "accepted":
      return accept(state, action.batch, action.jobs);
    case "refreshed":
      return hear(state, action.jobs);
    case "forgotten":
      return {
        ...state,
        batches: state.batches.map((batch) => (batch.id === action.batch ? { ...batch, forgotten: true } : batch)),
      };
    case "cleared":
      return clear(state);
    case "tick": {
      const pods = state.pods.filter(({ goneAt }) => goneAt === null || action.at - goneAt < GONE_SHOWN);
      return pods.length === state.pods.length ? state : { ...state, pods };
    }
  }
}

// Jobs come in hundreds and touch only their own maps, so they are taken together.
function take(state: State, events: readonly ServerEvent[], at: number): State {
  const jobs = events.flatMap((event) => (event.type === "job" ? [event.job] : []));
  return events.reduce((now, event) => step(now, event, at), hear(state, jobs));
}

function step(state: State, event: ServerEvent, at: number): State {
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
      return { ...state, trouble: event.trouble.reason ?? null };
    case "reset":
      // What the server says next is the whole present. Batches and console are this page's own past and stay.
      return { ...state, epoch: state.epoch + 1, pods: [], scale: null, trouble: null, queue: null, history: [] };
  }
}

function withPod(pods: readonly PodView[], pod: Pod, at: number): readonly PodView[] {
  const known = pods.find(({ name }) => name === pod.name);
  // A pod that ended before this page ever saw it is no news.
  if (!known && pod.phase === "gone") return pods;
  // The last word on a pod may leave out what is no longer counted.
  const goneAt = pod.phase === "gone" ? (known?.goneAt ?? at) : null;
  const view = { ...known, ...pod, goneAt };
  const others = pods.filter(({ name }) => name !== pod.name);
  return [...others, view].sort((a, b) => a.created - b.created || a.name.localeCompare(b.name));
}
