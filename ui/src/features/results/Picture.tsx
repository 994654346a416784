// How is the sent image shown, and when is its memory freed?
import { useEffect, useRef } from "react";

/** Longest side, in pixels, of images shown with hard edges: scaled smoothly, 28 × 28 pixels look blurred. */
const PIXELATED_MAX = 64;

interface Props {
  readonly file: Blob | null;
  readonly alt: string;
  readonly className: string;
}

export function Picture({ file, alt, className }: Props) {
  const image = useRef<HTMLImageElement>(null);
  // An object URL holds the file in memory, so each lives only as long as its picture is shown.
  useEffect(() => {
    const shown = image.current;
    if (file === null || shown === null) return;
    const url = URL.createObjectURL(file);
    shown.src = url;
    return () => {
      // Whatever is not loaded yet is given up: the browser would look for it in vain.
      shown.removeAttribute("src");
      URL.revokeObjectURL(url);
    };
  }, [file]);

  if (file === null) return <span className={`${className} picture-blank`} aria-hidden="true" />;
  return (
    <img
      ref={image}
      className={className}
      alt={alt}
      decoding="async"
      onLoad={({ currentTarget }) => {
        const { naturalWidth, naturalHeight } = currentTarget;
        currentTarget.dataset.sharp = String(Math.max(naturalWidth, naturalHeight) <= PIXELATED_MAX);
      }}
    />
  );
}
