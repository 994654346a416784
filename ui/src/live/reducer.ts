// What is the state of the page after an action?
//
// Pure: the time comes with the action, so tests need neither clock nor network.
import { podChange, scaleChange, withLine } from "./console";
import type { ServerEvent } from "./decode";
import { killedBy, withoutGone, withPod } from "./pods";
import { loadRun, listRuns } from "./listed";
import { acceptBatch, removeSettled, startRun, updateJobs, withdraw } from "./runs";
import { HISTORY_MAX, START, type Action, type State } from "./state";

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "connection":
      return { ...state, connection: action.connection };
    case "events":
      return applyAll(state, action.events, action.at);
    case "given":
      return startRun(state, action.run, action.files, action.at);
    case "withdrawn":
      return withdraw(state, action.run, action.files);
    case "accepted":
      return acceptBatch(state, action.run, action.accepted);
    case "refreshed":
      return updateJobs(state, action.jobs);
    case "listed":
      return listRuns(state, action.listed);
    case "loaded":
      return loadRun(state, action.batch, action.jobs);
    case "expired":
      return {
        ...state,
        runs: state.runs.map((run) =>
          run.batches.some(({ id }) => id === action.batch) ? { ...run, expired: true } : run,
        ),
      };
    case "stopping":
      return { ...state, stops: new Map(state.stops).set(action.pod, action.mode) };
    case "cleared":
      return removeSettled(state);
    case "signed out":
      // What a token let the page see is not left to whoever comes next.
      return { ...START, epoch: state.epoch, removed: state.removed };
    case "tick": {
      const pods = withoutGone(state.pods, action.at);
      if (pods === state.pods) return state;
      const names = new Set(pods.map(({ name }) => name));
      return { ...state, pods, stops: new Map([...state.stops].filter(([name]) => names.has(name))) };
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
    case "pod": {
      const named = ({ name }: { name: string }) => name === event.pod.name;
      const pods = withPod(state.pods, event.pod, { stops: state.stops, most: state.scale?.max ?? 0, at });
      return {
        ...state,
        pods,
        console: withLine(state.console, podChange(state.pods.find(named), pods.find(named)), at),
      };
    }
    case "scale":
      return {
        ...state,
        scale: event.scale,
        console: withLine(state.console, scaleChange(state.scale, event.scale), at),
      };
    case "queue": {
      const depth = event.queue.waiting + event.queue.running;
      return { ...state, queue: event.queue, history: [...state.history, depth].slice(-HISTORY_MAX) };
    }
    case "console": {
      const killed = killedBy(event.console.command, state.pods);
      return {
        ...state,
        console: withLine(state.console, { kind: "command", ...event.console }, at),
        stops: killed === null ? state.stops : new Map(state.stops).set(killed, "kill"),
      };
    }
    case "trouble":
      return { ...state, podsError: event.error.reason ?? null };
    case "reset":
      // The next events carry the whole present state. Runs and console are history of this page and stay.
      return { ...state, epoch: state.epoch + 1, pods: [], scale: null, podsError: null, queue: null, history: [] };
  }
}
