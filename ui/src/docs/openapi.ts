// Which parts of an OpenAPI 3.1 description does the page show, and in which order?
//
// Only the members that the page shows are typed. Everything here is pure.

export interface Description {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: {
    readonly schemas?: Schemas;
    readonly securitySchemes?: Readonly<Record<string, SecurityScheme>>;
  };
}

export type Schemas = Readonly<Record<string, Schema>>;

export interface SecurityScheme {
  readonly type: string;
  readonly scheme?: string;
  readonly description?: string;
}

export interface Operation {
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  readonly operationId?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Body & { readonly required?: boolean };
  readonly responses?: Readonly<Record<string, Body>>;
}

/** Body of a request or of a response, with one schema for each media type. */
export interface Body {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header" | "cookie";
  readonly description?: string;
  readonly required?: boolean;
  readonly schema?: Schema;
  readonly example?: unknown;
}

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: Schemas;
  readonly items?: Schema;
  readonly additionalProperties?: boolean | Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly example?: unknown;
}

/** Operation together with its address. */
export interface Route {
  /** Anchor of the operation on the page. */
  readonly id: string;
  /** HTTP method in capitals. */
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

export interface Group {
  readonly tag: string;
  readonly routes: readonly Route[];
}

/** HTTP methods in the order in which the operations of one path are shown. */
const METHODS = ["get", "post", "put", "patch", "delete", "head", "options", "trace"] as const;

/** Tag of operations that have none. */
const UNTAGGED = "other";

/** Groups the operations by their first tag: tags by name, operations by path and then by method. */
export function groupsOf(description: Description): Group[] {
  const groups = new Map<string, Route[]>();
  for (const path of Object.keys(description.paths).sort()) {
    for (const method of METHODS) {
      const operation = description.paths[path]?.[method];
      if (!operation) continue;
      const tag = operation.tags?.[0] ?? UNTAGGED;
      const id = operation.operationId ?? `${method}-${path}`;
      groups.set(tag, [...(groups.get(tag) ?? []), { id, method: method.toUpperCase(), path, operation }]);
    }
  }
  return [...groups].sort(([a], [b]) => a.localeCompare(b)).map(([tag, routes]) => ({ tag, routes }));
}
