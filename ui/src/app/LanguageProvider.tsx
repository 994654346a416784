// Which language has the person chosen, or else their browser?
import { useEffect, useMemo, useState, type ReactNode } from "react";

import { LanguageContext, languageOf, type Language } from "../text/texts";

const KEY = "kana.language";

export function LanguageProvider({ children }: { readonly children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(() => languageOf([stored() ?? "", ...navigator.languages]));
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const choice = useMemo(
    () => ({
      language,
      choose: (next: Language) => {
        setLanguage(next);
        store(next);
      },
    }),
    [language],
  );
  return <LanguageContext value={choice}>{children}</LanguageContext>;
}

// A browser may forbid storage; the choice then lasts until the page is closed.
function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function store(language: Language): void {
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // As above.
  }
}
