// How is a command line shown and copied?
import { useRef, useState } from "react";

/** Renders a command with a button that copies it. `subject` completes the name of the button. */
export function CommandLine({ command, subject }: { readonly command: string; readonly subject: string }) {
  const code = useRef<HTMLElement>(null);
  const [outcome, setOutcome] = useState("");

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(command);
      setOutcome("Copied");
    } catch {
      // Outside a secure context a page has no clipboard: the person copies the selected text.
      if (code.current) window.getSelection()?.selectAllChildren(code.current);
      setOutcome("Selected");
    }
  };

  return (
    <div className="command">
      <pre>
        <code ref={code}>{command}</code>
      </pre>
      <p className="command-buttons">
        <span className="muted" role="status">
          {outcome}
        </span>
        <button
          type="button"
          className="button small"
          aria-label={`Copy the command for ${subject}`}
          onClick={() => void copy()}
        >
          Copy
        </button>
      </p>
    </div>
  );
}
