// How does a person enter the token?
import { useEffect, useRef, useState } from "react";

import { useTexts } from "../text/texts";

interface Props {
  /** Whether the service has refused the token that was entered. */
  readonly wrong: boolean;
  readonly onToken: (token: string) => void;
}

export function TokenForm({ wrong, onToken }: Props) {
  const texts = useTexts();
  const [token, setToken] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    // The next key typed replaces the wrong token.
    if (wrong) input.current?.select();
  }, [wrong]);
  return (
    <form
      className="panel token"
      onSubmit={(event) => {
        event.preventDefault();
        if (token.trim() !== "") onToken(token.trim());
      }}
    >
      <label htmlFor="token">{texts.tokenLabel}</label>
      <div className="token-row">
        <input
          id="token"
          ref={input}
          type="password"
          autoComplete="off"
          spellCheck={false}
          aria-invalid={wrong}
          aria-describedby={wrong ? "token-wrong" : undefined}
          value={token}
          onChange={(event) => {
            setToken(event.target.value);
          }}
        />
        <button type="submit" className="button primary">
          {texts.tokenSend}
        </button>
      </div>
      {wrong && (
        <p id="token-wrong" className="error" role="alert">
          {texts.tokenWrong}
        </p>
      )}
    </form>
  );
}
