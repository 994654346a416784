// How was the model trained? The report opens in a tab of its own.
import type { MouseEvent } from "react";

import type { Api } from "../api/client";
import { useTexts } from "../text/texts";

export function ReportLink({ api }: { readonly api: Api }) {
  const texts = useTexts();
  // A link carries no token: with one, the page is fetched and shown from memory.
  const open = (event: MouseEvent) => {
    if (api.tokens.get() === null) return;
    event.preventDefault();
    // Opened before the answer is there, because a browser allows a tab only as the direct effect of a click.
    const tab = window.open("", "_blank");
    void api.report().then((answer) => {
      if (tab === null) return;
      if (answer.ok) tab.location.href = URL.createObjectURL(answer.value);
      else tab.close();
    });
  };
  return (
    <a href={`${api.gateway}/v1/model/report`} target="_blank" rel="noopener" onClick={open}>
      {texts.howTrained}
    </a>
  );
}
