/** How many guests a message names. */
const mostNamed = 5

/** ` (asked for by guests a, b and 3 more)`, for messages about a setting that these guests have. */
export function affectedGuests(guests: readonly string[]): string {
  const shown = guests.slice(0, mostNamed).join(', ')
  const more = guests.length > mostNamed ? ` and ${guests.length - mostNamed} more` : ''
  return ` (asked for by guest${guests.length === 1 ? '' : 's'} ${shown}${more})`
}
