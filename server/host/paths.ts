/** Whether `path` is `folder` or below it. Both are absolute, without `..`; symlinks are not looked at. */
export function isInside(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}
