/** The model that comes with the project. */
export const DEFAULT_MODEL_ID = 'sentence-transformers/all-MiniLM-L6-v2';
