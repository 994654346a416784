// How is a text copied to the clipboard?
import { useEffect, useState } from "react";

import { useTexts } from "../text/texts";

/** Time for which the button confirms the copy, in milliseconds. */
const CONFIRMED = 1_500;

interface Props {
  readonly text: string;
  /** What is copied, for the button's name. */
  readonly what: string;
}

export function CopyButton({ text, what }: Props) {
  const texts = useTexts();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => {
      setCopied(false);
    }, CONFIRMED);
    return () => {
      clearTimeout(timer);
    };
  }, [copied]);
  return (
    <button
      type="button"
      className="button small quiet copy"
      aria-label={copied ? texts.copied : texts.copyLabel(what)}
      onClick={() => {
        void copy(text).then(setCopied);
      }}
    >
      {copied ? texts.copied : texts.copy}
    </button>
  );
}

// The clipboard's interface exists only in secure contexts, and a page over plain HTTP in a local network is not one.
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- nothing else copies outside secure contexts
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}
