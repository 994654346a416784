// In which language does the page speak?
import { createContext, useContext } from "react";

import { en, type Texts } from "./en";
import { ja } from "./ja";

export type Language = "en" | "ja";

export const TEXTS: Readonly<Record<Language, Texts>> = { en, ja };
/** Names of the languages, each in itself. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { en: "English", ja: "日本語" };

/** Language of the texts, and how a person chooses the other one. */
export interface LanguageChoice {
  readonly language: Language;
  readonly choose: (language: Language) => void;
}

export const LanguageContext = createContext<LanguageChoice>({ language: "en", choose: () => undefined });

export function useTexts(): Texts {
  return TEXTS[useContext(LanguageContext).language];
}

/** Returns the first of the languages a person prefers that the page speaks; English if it speaks none of them. */
export function languageOf(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    const [primary = ""] = tag.toLowerCase().split("-");
    if (primary === "en" || primary === "ja") return primary;
  }
  return "en";
}
