// How does a person enter the token?
import { useState } from "react";

export function TokenForm({ onToken }: { readonly onToken: (token: string) => void }) {
  const [token, setToken] = useState("");
  return (
    <form
      className="panel token"
      onSubmit={(event) => {
        event.preventDefault();
        if (token.trim() !== "") onToken(token.trim());
      }}
    >
      <label htmlFor="token">
        This service asks for a token. Only this tab keeps it, and closing the tab deletes it.
      </label>
      <div className="token-row">
        <input
          id="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={token}
          onChange={(event) => {
            setToken(event.target.value);
          }}
        />
        <button type="submit" className="button primary">
          Go on
        </button>
      </div>
    </form>
  );
}
