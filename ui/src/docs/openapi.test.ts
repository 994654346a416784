import { expect, it } from "vitest";

import { groupsOf, type Operation } from "./openapi";

it("groups operations by tag, and sorts them by path and then by method", () => {
  const operation = (tag: string, operationId: string): Operation => ({ tags: [tag], operationId });
  const groups = groupsOf({
    info: { title: "a", version: "1" },
    paths: {
      "/b": { delete: operation("jobs", "d"), get: operation("jobs", "c") },
      "/a": { post: operation("jobs", "b"), get: operation("dead letters", "a") },
    },
  });

  expect(groups.map(({ tag, routes }) => [tag, ...routes.map(({ id }) => id)])).toEqual([
    ["dead letters", "a"],
    ["jobs", "b", "c", "d"],
  ]);
});

it("shows an operation without tag and name, too", () => {
  const [group] = groupsOf({ info: { title: "a", version: "1" }, paths: { "/a": { get: {} } } });

  expect(group).toMatchObject({ tag: "other", routes: [{ id: "get-/a", method: "GET", path: "/a" }] });
});
