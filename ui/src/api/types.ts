// What are the server's things called on this page?
//
// The one place that knows the names in the server's description; everything else imports from here.
import type { components, operations } from "./schema.gen";

type Schemas = components["schemas"];

export type Job = Schemas["Job"];
export type Rejection = Schemas["Rejection"];
export type Receipt = Schemas["Receipt"];
export type Batch = Schemas["Batch"];
export type Pod = Schemas["Pod"];
export type Scale = Schemas["Scale"];
export type Queue = Schemas["Queue"];
export type Console = Schemas["Console"];
export type Trouble = Schemas["Trouble"];
export type Status = Schemas["Status"];
export type Model = Schemas["Model"];
export type Stop = NonNullable<NonNullable<operations["stop_pod"]["parameters"]["query"]>["mode"]>;
