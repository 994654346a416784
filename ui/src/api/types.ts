// What does the page call the schemas of the gateway's description?
//
// The only file that uses the names of the generated types; everything else imports from here.
import type { components, operations } from "./schema.gen";

type Schemas = components["schemas"];

export type Job = Schemas["Job"];
/** Attempt at a job that ended without an outcome. */
export type LostAttempt = Schemas["Attempt"];
/** A batch without its jobs. */
export type Run = Schemas["Run"];
export type DeadLetter = Schemas["DeadLetter"];
export type Rejection = Schemas["Rejection"];
export type Receipt = Schemas["Receipt"];
export type Batch = Schemas["Batch"];
export type Pod = Schemas["Pod"];
export type Scale = Schemas["Scale"];
export type Queue = Schemas["Queue"];
export type Console = Schemas["Console"];
export type PodsError = Schemas["Trouble"];
export type Status = Schemas["Status"];
export type Model = Schemas["Model"];
export type Stop = NonNullable<NonNullable<operations["stop_pod"]["parameters"]["query"]>["mode"]>;
