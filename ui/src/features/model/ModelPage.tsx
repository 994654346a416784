// What is the model, how well does it do, and whose data is it made of?
import type { ReactNode } from "react";

import type { Model, Status } from "../../api/types";
import { count, percent } from "../../lib/format";
import { useTexts } from "../../text/texts";
import { filesOf, settingsOf } from "./card";

interface Props {
  readonly status: Status;
  readonly gateway: string;
  readonly report: ReactNode;
}

export function ModelPage({ status: { model, version, uptime_seconds }, gateway, report }: Props) {
  const all = useTexts();
  const texts = all.modelPage;
  const { architecture, input, training } = model;
  const { width, height, channels } = input.shape;
  return (
    <div className="model-page">
      <p>{model.description}</p>
      <Accuracy model={model} />
      <dl className="facts">
        <Fact name={texts.network}>
          {texts.networkOf(architecture.family, architecture.depth, architecture.width)}
          {model.members.length > 1 && `; ${texts.networks(model.members.length)}`}
        </Fact>
        <Fact name={texts.input}>
          {texts.inputOf(width, height, channels)}; {texts.fit[input.fit.as]}
        </Fact>
        <Fact name={texts.labels(model.labels.length)}>
          <ul className="model-labels">
            {model.labels.map((label, i) => (
              <li key={label}>
                <span className="glyph">{label}</span>
                {model.romanised[i] !== undefined && <span className="muted"> {model.romanised[i]}</span>}
              </li>
            ))}
          </ul>
        </Fact>
        <Fact name={texts.training}>
          {texts.trainedOn(training.images, training.validation_images)};{" "}
          {texts.epochs(training.epochs, training.best_epoch)}; {texts.by(training.version)}
        </Fact>
        <Fact name={texts.licence}>{model.licence}</Fact>
        <Fact name={texts.attribution}>{model.attribution}</Fact>
        <Fact name={texts.service}>{texts.serviceOf(version, all.ageOf(uptime_seconds * 1_000))}</Fact>
        <Fact name={texts.more}>
          <span className="model-links">
            {model.has_report && report}
            <a href={`${gateway}/docs/`}>{texts.docs}</a>
            <a href={`${gateway}/metrics`} target="_blank" rel="noopener">
              {texts.metrics}
            </a>
          </span>
        </Fact>
      </dl>
      <More title={texts.settings} rows={settingsOf(training, texts.seed)} />
      <More title={texts.files} rows={filesOf(model)} />
    </div>
  );
}

function Accuracy({ model }: { readonly model: Model }) {
  const { modelPage: texts } = useTexts();
  if (model.evaluation.length === 0) return <p className="muted">{texts.evaluationsNone}</p>;
  return (
    <table className="model-table">
      <caption className="visually-hidden">{texts.accuracy}</caption>
      <thead>
        <tr>
          <th scope="col">{texts.share}</th>
          <th scope="col">{texts.images}</th>
          <th scope="col">{texts.protocol}</th>
        </tr>
      </thead>
      <tbody>
        {model.evaluation.map(({ protocol, images, accuracy }) => (
          <tr key={protocol}>
            <td className="model-share">{percent(accuracy)}</td>
            <td>{count(images)}</td>
            <td>{protocol}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function More({ title, rows }: { readonly title: string; readonly rows: readonly (readonly [string, string])[] }) {
  return (
    <details className="model-more">
      <summary>{title}</summary>
      <dl className="facts mono">
        {rows.map(([name, value]) => (
          <Fact key={name} name={name}>
            {value}
          </Fact>
        ))}
      </dl>
    </details>
  );
}
