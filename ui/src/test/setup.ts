// What happens around every test, and what does jsdom lack that the page uses?
import { cleanup } from "@testing-library/react";
import { afterEach } from "vitest";

/** Size of every element, in pixels: jsdom lays nothing out, and a list without height shows nothing. */
const SIDE = 800;

afterEach(cleanup);

for (const name of ["offsetWidth", "offsetHeight", "clientWidth", "clientHeight"]) {
  Object.defineProperty(HTMLElement.prototype, name, { configurable: true, get: () => SIDE });
}
globalThis.ResizeObserver = class {
  observe = () => undefined;
  unobserve = () => undefined;
  disconnect = () => undefined;
};
Object.assign(URL, { createObjectURL: () => "blob:picture", revokeObjectURL: () => undefined });
