// How does the page stay on the event stream through restarts and lost networks?
//
// `EventSource` cannot send a bearer token, so this reads the stream with `fetch`: it reconnects by itself, waits longer
// each time, and asks for what it missed by `Last-Event-ID`.
import { pause } from "../app/pause";
import { createParser, type Message } from "./parser";

/** First wait before reconnecting, in milliseconds, unless the server names another. */
export const WAIT_FIRST = 500;
/** Longest wait before reconnecting, in milliseconds: a person who sees the service come back should not have to reload. */
export const WAIT_MAX = 8_000;
/** Silence after which a connection counts as dead, in milliseconds: three of the server's keep-alives of 15 s. */
export const SILENCE_MAX = 45_000;

export type Connection = "connecting" | "open" | "waiting" | "unauthorised";

export interface Reader {
  readonly url: string;
  readonly fetch: typeof fetch;
  /** Asked before every connection, because a token may have been given in between. */
  readonly headers: () => Record<string, string>;
  readonly onMessages: (messages: Message[]) => void;
  readonly onConnection: (connection: Connection) => void;
  readonly signal: AbortSignal;
  /** Waits so many milliseconds; tests answer at once. */
  readonly sleep?: (ms: number) => Promise<void>;
}

/** Follows the stream until `signal` is aborted or the server refuses the token. */
export async function follow(reader: Reader): Promise<void> {
  const sleep = reader.sleep ?? ((ms: number) => pause(ms, reader.signal));
  let lastId = "";
  let wait = WAIT_FIRST;

  while (!isOver(reader)) {
    reader.onConnection("connecting");
    try {
      const response = await connect(reader, lastId);
      if (response.status === 401) {
        reader.onConnection("unauthorised");
        return;
      }
      if (response.ok && response.body) {
        reader.onConnection("open");
        await drain(response.body, reader, (message, retry) => {
          lastId = message.id || lastId;
          wait = retry ?? WAIT_FIRST;
        });
      }
    } catch {
      // Cut off, refused or silent: all the same to a reader that tries again.
    }
    if (isOver(reader)) return;
    reader.onConnection("waiting");
    await sleep(wait * (0.5 + Math.random() / 2));
    wait = Math.min(wait * 2, WAIT_MAX);
  }
}

function isOver(reader: Reader): boolean {
  return reader.signal.aborted;
}

function connect(reader: Reader, lastId: string): Promise<Response> {
  return reader.fetch(reader.url, {
    headers: { accept: "text/event-stream", ...(lastId && { "last-event-id": lastId }), ...reader.headers() },
    cache: "no-store",
    signal: reader.signal,
  });
}

type Seen = (message: Message, retry: number | null) => void;

async function drain(body: ReadableStream<Uint8Array>, reader: Reader, seen: Seen): Promise<void> {
  const parser = createParser();
  const decoder = new TextDecoder();
  const stream = body.getReader();
  const end = () => void stream.cancel().catch(() => undefined);
  let silence = setTimeout(end, SILENCE_MAX);
  try {
    for (;;) {
      const { done, value } = await stream.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(end, SILENCE_MAX);
      const messages = parser.push(decoder.decode(value, { stream: true }));
      for (const message of messages) seen(message, parser.retry());
      if (messages.length > 0) reader.onMessages(messages);
    }
  } finally {
    clearTimeout(silence);
    end();
  }
}
