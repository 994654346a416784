// Where is the gateway that served this page?
//
// Not always at the root of its host: a proxy may serve it under a path such as /kana/. The page's own address tells.

/** The root of the gateway as each of its pages sees it. */
const ROOT_OF = { live: ".", docs: ".." } as const;

/** Returns the address of the gateway that served a page, without a slash at its end. */
export function gatewayOf(page: keyof typeof ROOT_OF, { origin, pathname }: Address = globalThis.location): string {
  return new URL(ROOT_OF[page], origin + pathname).href.replace(/\/$/, "");
}

type Address = Pick<Location, "origin" | "pathname">;
