// How does a person choose the colours of the page?
import { Menu } from "@base-ui/react/menu";
import { useRef, useState } from "react";

import { useTexts } from "../../text/texts";
import { setTheme, themeOf, THEMES, type Theme } from "./theme";
import "../tools/tools.css";

export function ThemeMenu() {
  const texts = useTexts();
  // The menu opens among the links, so that it is part of a landmark.
  const place = useRef<HTMLSpanElement>(null);
  const [theme, choose] = useState(() => themeOf());
  return (
    <span ref={place}>
      <Menu.Root>
        <Menu.Trigger className="button small quiet">{texts.theme}</Menu.Trigger>
        <Menu.Portal container={place}>
          <Menu.Positioner className="menu-space" align="end" sideOffset={4}>
            <Menu.Popup className="menu">
              <Menu.RadioGroup
                value={theme}
                onValueChange={(next: Theme) => {
                  choose(next);
                  setTheme(next);
                }}
              >
                {THEMES.map((each) => (
                  <Menu.RadioItem key={each} value={each} className="menu-item menu-choice" closeOnClick>
                    <span className="menu-tick" aria-hidden="true">
                      <Menu.RadioItemIndicator>✓</Menu.RadioItemIndicator>
                    </span>
                    {texts.themes[each]}
                  </Menu.RadioItem>
                ))}
              </Menu.RadioGroup>
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
    </span>
  );
}
