// Who is asking?
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
        This service asks for a token. It is kept in this tab alone and forgotten when the tab is closed.
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
