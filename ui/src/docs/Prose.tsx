// How does a description's text become paragraphs?

/** Renders text whose paragraphs are separated by blank lines and whose code stands in backticks. */
export function Prose({ text, className }: { readonly text: string; readonly className?: string }) {
  return text.split(/\n\s*\n/).map((paragraph, i) => (
    // The paragraphs of one text never change their order.
    <p key={i} className={className}>
      <Inline text={paragraph} />
    </p>
  ));
}

/** Renders one line of text whose code stands in backticks. */
export function Inline({ text }: { readonly text: string }) {
  return text.split("`").map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part));
}
