// The views and editors of the extension, by name as in package.json.
export const PANEL_TYPE = 'attention.panel';
export const INSPECTOR_VIEW = 'attention.inspector';
export const TENSOR_FILE = 'attention.tensorFile';
