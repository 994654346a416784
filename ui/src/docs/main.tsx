// Where does the page of the API start?
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { DocsPage } from "./DocsPage";
import { load } from "./load";
import { gatewayOf } from "../lib/gateway";
import "../app/tokens.css";
import "../app/base.css";
import "../app/layout.css";
import "./docs.css";

const root = document.getElementById("root");
if (!root) throw new Error("BUG: docs/index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <DocsPage load={load} gateway={gatewayOf("docs")} />
  </StrictMode>,
);
