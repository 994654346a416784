import { fireEvent, render, screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { Model, Status } from "../../api/types";
import { aQueue } from "../../test/fakes";
import { ModelButton } from "./ModelButton";

function aStatus(differences: Partial<Model> = {}): Status {
  const model: Model = {
    name: "mine",
    description: "Tells apart 2 classes.",
    architecture: { family: "kana-cnn", depth: 4, width: 32, dropout: 0.05 },
    input: {
      shape: { channels: 1, height: 28, width: 28 },
      mean: [0.2],
      deviation: [0.3],
      fit: { as: "glyph", margin: 0 },
    },
    labels: ["お", "き"],
    romanised: ["o", "ki"],
    members: [{ file: "weights.safetensors", sha256: "688f" }],
    training: {
      version: "0.1.0",
      data: [{ file: "train-images", sha256: "76fb" }],
      images: 7_500,
      validation_images: 830,
      seed: 1,
      epochs: 60,
      best_epoch: 46,
      settings: { "learning-rate": "0.003", augment: "on" },
    },
    evaluation: [{ protocol: "1,670 held-out images", images: 1_670, accuracy: 0.9923 }],
    licence: "CC BY-SA 4.0",
    attribution: "Clanuwat et al.",
    has_report: true,
    ...differences,
  };
  return { version: "0.2.0", uptime_seconds: 120, queue: aQueue(), model };
}

function shown(status: Status) {
  render(<ModelButton status={status} gateway="/base" report={<a href="/report">how it was trained</a>} />);
  fireEvent.click(screen.getByRole("button", { name: "Model" }));
  return within(screen.getByRole("dialog", { name: "Model mine" }));
}

describe("the description of the model", () => {
  it("cannot be opened before the service has said it", () => {
    render(<ModelButton status={null} gateway="" report={null} />);

    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Model" }).disabled).toBe(true);
  });

  it("says how often it is right, and on which images", () => {
    const table = within(shown(aStatus()).getByRole("table", { name: "Accuracy" }));

    expect(table.getAllByRole("cell").map(({ textContent }) => textContent)).toEqual([
      "99.2 %",
      "1,670",
      "1,670 held-out images",
    ]);
  });

  it("says what it is made of", () => {
    const page = shown(aStatus());

    page.getByText("kana-cnn: 4 convolutions, 32 channels wide");
    page.getByText("7,500 images, and 830 held out", { exact: false });
    page.getByText("CC BY-SA 4.0");
    expect(page.getAllByRole("listitem").map(({ textContent }) => textContent)).toEqual(["お o", "き ki"]);
    const terms = page.getAllByText(/^(seed|augment|learning-rate|weights\.safetensors|train-images)$/);
    expect(terms.map(({ parentElement }) => parentElement?.textContent)).toEqual([
      "seed1",
      "augmenton",
      "learning-rate0.003",
      "weights.safetensors688f",
      "train-images76fb",
    ]);
  });

  it("leads to what else there is, and to a report only where the model has one", () => {
    const links = (status: Status) => {
      const found = shown(status).getAllByRole("link");
      fireEvent.click(screen.getByRole("button", { name: "Close" }));
      return found.map((link) => link.getAttribute("href"));
    };

    expect(links(aStatus())).toEqual(["/report", "/base/docs/", "/base/metrics"]);
  });

  it("has no link to a report that there is not, and says where nothing was evaluated", () => {
    const page = shown(aStatus({ has_report: false, evaluation: [], members: [] }));

    expect(page.queryByRole("link", { name: "how it was trained" })).toBeNull();
    page.getByText("The model's card holds no evaluation.");
  });

  it("of several networks says that their answers are averaged", () => {
    const members = ["a", "b", "c"].map((file) => ({ file, sha256: "0" }));

    shown(aStatus({ members })).getByText(/; 3 networks, whose answers are averaged$/);
  });
});
