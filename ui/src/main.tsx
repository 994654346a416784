// Where does the page start?
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { createApi } from "./api/client";
import { App } from "./app/App";
import { LanguageProvider } from "./app/LanguageProvider";
import "./app/tokens.css";
import "./app/base.css";
import "./app/layout.css";
import "./app/overlay.css";

const root = document.getElementById("root");
if (!root) throw new Error("BUG: index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <LanguageProvider>
      <App api={createApi()} />
    </LanguageProvider>
  </StrictMode>,
);
