// How is the description of the model opened?
import { useState, type ReactNode } from "react";

import type { Status } from "../../api/types";
import { DetailDialog } from "../../lib/DetailDialog";
import { useTexts } from "../../text/texts";
import { ModelPage } from "./ModelPage";
import "./model.css";

interface Props {
  readonly status: Status | null;
  /** Address of the gateway, without a slash at its end. */
  readonly gateway: string;
  /** Link to the report of the model's training. */
  readonly report: ReactNode;
}

export function ModelButton({ status, gateway, report }: Props) {
  const { modelPage: texts } = useTexts();
  const [shown, setShown] = useState(false);
  return (
    <>
      <button
        type="button"
        className="button small quiet"
        disabled={status === null}
        onClick={() => {
          setShown(true);
        }}
      >
        {texts.open}
      </button>
      <DetailDialog
        title={shown && status ? texts.title(status.model.name) : null}
        wide
        onClose={() => {
          setShown(false);
        }}
      >
        {status && <ModelPage status={status} gateway={gateway} report={report} />}
      </DetailDialog>
    </>
  );
}
