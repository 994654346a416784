// How are the charts opened? Their code is loaded only then.
import { lazy, Suspense, useState } from "react";

import { DetailDialog } from "../../lib/DetailDialog";
import { useTexts } from "../../text/texts";
import type { Recorder } from "./recorder";
import "./charts.css";

// After an update of the service, the old page's code is no longer there.
const Charts = lazy(() => import("./Charts").catch(() => ({ default: Failed })));

export function ChartsButton({ recorder }: { readonly recorder: Recorder }) {
  const { charts: texts } = useTexts();
  const [shown, setShown] = useState(false);
  return (
    <>
      <button
        type="button"
        className="button small quiet"
        onClick={() => {
          setShown(true);
        }}
      >
        {texts.open}
      </button>
      <DetailDialog
        title={shown ? texts.title : null}
        wide
        onClose={() => {
          setShown(false);
        }}
      >
        <div className="charts">
          <Suspense fallback={<p className="muted">{texts.loading}</p>}>
            <Charts recorder={recorder} />
          </Suspense>
        </div>
      </DetailDialog>
    </>
  );
}

function Failed() {
  const { charts: texts } = useTexts();
  return (
    <p className="error" role="alert">
      {texts.failed}
    </p>
  );
}
