// Does a value from outside have the members that the page is about to read?

export type Fields = Readonly<Record<string, unknown>>;

/** Whether `value` is an object whose members may be read. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether `value` is an object with strings under all of `names`. */
export function hasStrings(value: unknown, ...names: string[]): value is Fields {
  return isFields(value) && names.every((name) => typeof value[name] === "string");
}

/** Whether `value` is an object with numbers under all of `names`. */
export function hasNumbers(value: unknown, ...names: string[]): value is Fields {
  return isFields(value) && names.every((name) => typeof value[name] === "number");
}
