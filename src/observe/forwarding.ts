/** What a Millrace that forwards its objects and one that takes them agree on. */

/** Where lines that are made already are posted, and as what. */
export const LINES_PATH = '/lines'
export const LINES_TYPE = 'application/vnd.millrace.lines+x-ndjson'
/** How many seconds ago whoever repeats a request has sent it first, without having had an answer since. */
export const DOUBT_HEADER = 'millrace-doubt-seconds'
