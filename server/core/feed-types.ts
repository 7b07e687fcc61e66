/** What an event of the feed is about: the names that clients and `webhooks:` choose by. */
export const feedTypes = ['boots', 'guests', 'trees', 'boot-tests', 'publish', 'config', 'problems'] as const
export type FeedType = (typeof feedTypes)[number]
