// How is a number of things written in English?
import { count } from "../lib/format";

const PLURALS = new Intl.PluralRules("en");

/** Writes a number with the noun in the form that belongs to it. */
export const plural = (value: number, one: string, other = `${one}s`) =>
  `${count(value)} ${PLURALS.select(value) === "one" ? one : other}`;
