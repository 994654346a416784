// How does the page follow the event stream through restarts and network failures?
//
// `EventSource` cannot send a bearer token, so the stream is read with `fetch`: reconnects by itself, waits longer each
// time, and asks for missed events with `Last-Event-ID`.
import { pause } from "../lib/pause";
import { createParser, type Message } from "./sse";

/** First wait before reconnecting, in milliseconds, unless the server names another. */
export const WAIT_FIRST = 500;
/** Longest wait before reconnecting, in milliseconds: short enough that a person does not reload the page. */
export const WAIT_MAX = 8_000;
/** Silence after which a connection counts as dead, in milliseconds: three keep-alives of the server, 15 s each. */
export const SILENCE_MAX = 45_000;

export type Connection = "connecting" | "open" | "waiting" | "unauthorised";

export interface StreamOptions {
  readonly url: string;
  readonly fetch: typeof fetch;
  /** Called before every connection, because the token may have changed. */
  readonly headers: () => Record<string, string>;
  readonly onMessages: (messages: Message[]) => void;
  readonly onConnection: (connection: Connection) => void;
  readonly signal: AbortSignal;
  /** Waits so many milliseconds; tests return at once. */
  readonly sleep?: (ms: number) => Promise<void>;
}

/** Follows the stream until `signal` is aborted or the server refuses the token. */
export async function follow(options: StreamOptions): Promise<void> {
  const sleep = options.sleep ?? ((ms: number) => pause(ms, options.signal));
  let lastId = "";
  let wait = WAIT_FIRST;

  while (!isAborted(options.signal)) {
    options.onConnection("connecting");
    try {
      const response = await connect(options, lastId);
      if (response.status === 401) {
        options.onConnection("unauthorised");
        return;
      }
      if (response.ok && response.body) {
        options.onConnection("open");
        await drain(response.body, options, (message, retry) => {
          lastId = message.id || lastId;
          wait = retry ?? WAIT_FIRST;
        });
      }
    } catch {
      // A failure, a refusal and silence have the same consequence: another try.
    }
    if (isAborted(options.signal)) return;
    options.onConnection("waiting");
    await sleep(wait * (0.5 + Math.random() / 2));
    wait = Math.min(wait * 2, WAIT_MAX);
  }
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function connect(options: StreamOptions, lastId: string): Promise<Response> {
  return options.fetch(options.url, {
    headers: { accept: "text/event-stream", ...(lastId && { "last-event-id": lastId }), ...options.headers() },
    cache: "no-store",
    signal: options.signal,
  });
}

type OnMessage = (message: Message, retry: number | null) => void;

async function drain(body: ReadableStream<Uint8Array>, options: StreamOptions, onMessage: OnMessage): Promise<void> {
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
      for (const message of messages) onMessage(message, parser.retry());
      if (messages.length > 0) options.onMessages(messages);
    }
  } finally {
    clearTimeout(silence);
    end();
  }
}
