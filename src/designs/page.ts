/** The page with the plots: one file with all that it needs in it. */

import { DESIGNS } from './designs.ts'
import { findings } from './findings.ts'
import type { Result } from './result.ts'
import { settingsLine } from './words.ts'

/** What the page is made of, beside the figures. */
export interface PageParts {
  /** `page.html`, with places for the rest. */
  template: string
  /** uPlot, which draws the plots. */
  script: string
  style: string
  /** Its license goes wherever it goes. */
  license: string
}

/** Reads the parts: they come with the program. */
export async function readPageParts(): Promise<PageParts> {
  const uplot = (name: string) => Bun.file(Bun.resolveSync(`uplot/${name}`, import.meta.dir)).text()
  const [template, script, style, license] = await Promise.all([
    Bun.file(new URL('./page.html', import.meta.url)).text(),
    uplot('dist/uPlot.iife.min.js'),
    uplot('dist/uPlot.min.css'),
    uplot('LICENSE'),
  ])
  return { template, script, style, license }
}

/** Puts the page together. */
export function pageOf(result: Result, { template, script, style, license }: PageParts): string {
  const { settings, machine, version, at } = result
  const data = {
    result,
    designs: DESIGNS,
    findings: findings(result),
    settings: settingsLine(settings),
    machine: `Measured by millrace bench designs: ${machine}; Millrace ${version}; ${at}.`,
  }
  const places: Record<string, string> = {
    style,
    license: `/*! uPlot. ${license.trim()} */`,
    // Neither program nor data may end the script that they stand in.
    script: script.replaceAll('</script', '<\\/script'),
    data: JSON.stringify(data).replaceAll('<', '\\u003c'),
  }
  // With the quotes that make the template's place a value by itself. By a function: `$&` and the like in what is put in mean nothing.
  return template.replace(/"?\/\*\{(\w+)\}\*\/"?/g, (place, name: string) => places[name] ?? place)
}
