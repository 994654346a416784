// Which events does a piece of `text/event-stream` complete?
//
// Implements the parsing rules of the HTML standard ("Server-sent events", 9.2.6) for text that arrives in arbitrary pieces.

/** Event as it came over the wire. */
export interface Message {
  /** Name of the event; `message` where it has none. */
  readonly event: string;
  readonly data: string;
  /** Last id seen up to this event; empty where there was none. */
  readonly id: string;
}

/** Longest event accepted, in UTF-16 units: about a thousand times a usual one. */
export const EVENT_LENGTH_MAX = 1_048_576;

export interface Parser {
  /** Takes the next piece and returns the events that it completes. */
  push(text: string): Message[];
  /** Returns the delay before reconnecting that the server last asked for, in milliseconds; `null` if it did not. */
  retry(): number | null;
}

/** Creates a parser of one stream. */
export function createParser(): Parser {
  let rest = "";
  let fresh = true;
  let [event, id] = ["", ""];
  let data: string[] = [];
  let retry: number | null = null;

  const take = (line: string): Message | null => {
    if (line === "") {
      const message = data.length === 0 ? null : { event: event || "message", data: data.join("\n"), id };
      event = "";
      data = [];
      return message;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
    else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^\d+$/.test(value)) retry = Number(value);
    return null;
  };

  return {
    retry: () => retry,
    push: (text) => {
      rest += fresh ? text.replace(/^\uFEFF/, "") : text;
      if (text !== "") fresh = false;
      // A carriage return at the very end may be half of a CRLF; the parser keeps it for the next piece.
      const whole = rest.endsWith("\r") ? rest.length - 1 : rest.length;
      const lines = rest.slice(0, whole).split(/\r\n|\r|\n/);
      rest = (lines.pop() ?? "") + rest.slice(whole);

      const messages = lines.map(take).filter((message) => message !== null);
      if (rest.length + data.reduce((sum, part) => sum + part.length, 0) > EVENT_LENGTH_MAX) {
        throw new RangeError(`an event is longer than ${EVENT_LENGTH_MAX} characters`);
      }
      return messages;
    },
  };
}
