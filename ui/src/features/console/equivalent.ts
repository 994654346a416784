// Which command line has exactly the effect of an action of the service?

/** Service as a command line reaches it. */
export interface Target {
  /** Address of the gateway, without a slash at its end. */
  readonly gateway: string;
  readonly hasToken: boolean;
}

/** Longest command line shown in full, in characters. */
const SHOWN_MAX = 90;

/** Shortens a long command line to its program, its subcommand and its last option, which says what is special of it. */
export function folded(command: string): string {
  const [head = "", ...options] = command.split(/ (?=--)/);
  const last = options.at(-1);
  return command.length <= SHOWN_MAX || options.length < 2 || last === undefined ? command : `${head} … ${last}`;
}

const RANGE = /^kana up --min (\d+) --max (\d+)$/;

/**
 * Returns `command`, or the request in place of a command that would do something else: `kana up` would start a second
 * service, where the range of this one was changed.
 */
export function equivalent(command: string, { gateway, hasToken }: Target): string {
  const [, min, max] = RANGE.exec(command) ?? [];
  if (min === undefined || max === undefined) return command;
  const token = hasToken ? `-H "authorization: Bearer $KANA_TOKEN" ` : "";
  return `curl -X PUT ${gateway}/v1/scale ${token}-H 'content-type: application/json' -d '{"min":${min},"max":${max}}'`;
}
