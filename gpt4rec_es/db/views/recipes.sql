CREATE VIEW analytics.recipes (
    recipe_name, recipe_hash, is_live_recipe, recipe_sources, fusion_method, recipe_num_queries,
    recipe_num_beams, recipe_actor, recipe_reason, stored_at, trial_id,
    recipe_document
) AS
SELECT
    r.name, r.content_hash,
    coalesce(r.recipe_no = (
        SELECT u.recipe_no FROM public.recipe_uses AS u ORDER BY u.use_no DESC LIMIT 1), false),
    (SELECT string_agg(concat(w.pair ->> 0, ':', w.pair ->> 1), ', ' ORDER BY w.place)
     FROM jsonb_array_elements(r.document #> '{fusion,weights}')
        WITH ORDINALITY AS w (pair, place)),
    r.document #>> '{fusion,method}', (r.document #>> '{decoding,num_queries}')::integer,
    (r.document #>> '{decoding,num_beams}')::integer, r.actor, r.reason, r.stored_at, r.trial_no,
    r.document
FROM public.recipes AS r;

COMMENT ON VIEW analytics.recipes IS
    'One row per stored recipe, which says how lists are made. Recipes shipped with the program '
    '(default, paper) are no rows.';
COMMENT ON COLUMN analytics.recipes.recipe_name IS 'name of the recipe';
COMMENT ON COLUMN analytics.recipes.recipe_hash IS
    'SHA-256 (hex) of the recipe; equal hashes mean equal recipes';
COMMENT ON COLUMN analytics.recipes.is_live_recipe IS 'whether the next night uses the recipe';
COMMENT ON COLUMN analytics.recipes.recipe_sources IS
    'sources of candidates with their weights, as queries:0.06, co_purchase:0.94';
COMMENT ON COLUMN analytics.recipes.fusion_method IS 'method that fuses the sources';
COMMENT ON COLUMN analytics.recipes.recipe_num_queries IS 'number of queries generated per user';
COMMENT ON COLUMN analytics.recipes.recipe_num_beams IS
    'number of beams of the beam search; the best hypotheses become the queries';
COMMENT ON COLUMN analytics.recipes.recipe_actor IS
    'operator that stored the recipe (login name)';
COMMENT ON COLUMN analytics.recipes.recipe_reason IS
    'reason that the operator gave; NULL: none';
COMMENT ON COLUMN analytics.recipes.stored_at IS 'time the recipe was stored';
COMMENT ON COLUMN analytics.recipes.trial_id IS
    'number of the trial that chose the recipe; NULL: none, or deleted';
COMMENT ON COLUMN analytics.recipes.recipe_document IS 'JSON: the recipe itself';
