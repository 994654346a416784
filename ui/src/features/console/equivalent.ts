// Which command line has exactly the effect of an action of the service?

/** Service as a command line reaches it. */
export interface Target {
  /** Address of the gateway, without a slash at its end. */
  readonly gateway: string;
  readonly hasToken: boolean;
}

/** Longest command line shown in full, in characters. */
const SHOWN_MAX = 90;

/** Whether a command line is too long to be shown in full unasked. */
export function isLong(command: string): boolean {
  return command.length > SHOWN_MAX;
}

/** Shortens a long command line to its program, its subcommand and its last option, which says what is special of it. */
export function folded(command: string): string {
  const [head = "", ...options] = command.split(/ (?=--)/);
  const last = options.at(-1);
  return !isLong(command) || options.length < 2 || last === undefined ? command : `${head} … ${last}`;
}

const RANGE = /^kana up --min (\d+) --max (\d+)$/;

/**
 * Returns `command`, or the request in place of a command that would do something else: `kana up` would start a second
 * service, where the range of this one was changed.
 */
export function equivalent(command: string, target: Target): string {
  const [, min, max] = RANGE.exec(command) ?? [];
  if (min === undefined || max === undefined) return command;
  return request(
    "-X PUT",
    "/v1/scale",
    target,
    ` -H 'content-type: application/json' -d '{"min":${min},"max":${max}}'`,
  );
}

/** Returns the request that reads a resource of the service. */
export function reading(path: string, target: Target): string {
  return request("-s", path, target);
}

function request(how: string, path: string, { gateway, hasToken }: Target, more = ""): string {
  return `curl ${how} ${gateway}${path}${hasToken ? ` -H "authorization: Bearer $KANA_TOKEN"` : ""}${more}`;
}
