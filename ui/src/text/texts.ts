// In which language does the page speak?
import { createContext, useContext } from "react";

import { en, type Texts } from "./en";

export const TextsContext = createContext<Texts>(en);

export function useTexts(): Texts {
  return useContext(TextsContext);
}
