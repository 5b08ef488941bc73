--
-- PostgreSQL database dump
--

\restrict GS7dNXBD7RchWXTopGhKaj4J0l0ARrQK00eYh7TEqJ97OvHHJUFZ2grykSK3bA9

-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: alerts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alerts (
    id integer NOT NULL,
    problem character varying(64) NOT NULL,
    kind character varying(32) NOT NULL,
    subject character varying(256) NOT NULL,
    message text NOT NULL,
    began_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    posted_at timestamp with time zone,
    attempts integer NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    last_error text
);


--
-- Name: alerts_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.alerts_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: alerts_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.alerts_id_seq OWNED BY public.alerts.id;


--
-- Name: champions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.champions (
    id integer NOT NULL,
    model_name character varying(256) NOT NULL,
    model_version integer NOT NULL,
    since timestamp with time zone NOT NULL,
    how character varying(16) NOT NULL,
    because text
);


--
-- Name: champions_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.champions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: champions_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.champions_id_seq OWNED BY public.champions.id;


--
-- Name: confusion_counts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.confusion_counts (
    problem character varying(64) NOT NULL,
    model_name character varying(256) NOT NULL,
    model_version integer NOT NULL,
    role character varying(16) NOT NULL,
    day date NOT NULL,
    true_class character varying(256) NOT NULL,
    predicted_class character varying(256) NOT NULL,
    labels integer NOT NULL
);


--
-- Name: correction_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.correction_events (
    id integer NOT NULL,
    suggestion_id character varying(36) NOT NULL,
    at timestamp with time zone NOT NULL,
    state character varying(16) NOT NULL,
    actor text NOT NULL,
    reason text
);


--
-- Name: correction_events_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.correction_events_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: correction_events_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.correction_events_id_seq OWNED BY public.correction_events.id;


--
-- Name: erasures; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.erasures (
    prediction_id character varying(36) NOT NULL,
    problem character varying(64) NOT NULL,
    erased_at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    details json NOT NULL
);


--
-- Name: exports; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.exports (
    id integer NOT NULL,
    problem character varying(64) NOT NULL,
    model_name character varying(256) NOT NULL,
    day date NOT NULL,
    rows integer NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    run_id character varying(36)
);


--
-- Name: exports_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.exports_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: exports_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.exports_id_seq OWNED BY public.exports.id;


--
-- Name: feedback; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.feedback (
    prediction_id character varying(36) NOT NULL,
    class_name character varying(256) NOT NULL,
    received_at timestamp with time zone NOT NULL,
    replaced_at timestamp with time zone,
    source text,
    trusted boolean DEFAULT false NOT NULL,
    problem character varying(64)
);


--
-- Name: judgements; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.judgements (
    id character varying(36) NOT NULL,
    problem character varying(64) NOT NULL,
    judged_at timestamp with time zone NOT NULL,
    verdict character varying(32) NOT NULL,
    version integer,
    candidate character varying(16) NOT NULL,
    details json NOT NULL,
    outcome text,
    flow_run_id character varying(36)
);


--
-- Name: label_delays; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.label_delays (
    problem character varying(64) NOT NULL,
    model_name character varying(256) NOT NULL,
    day date NOT NULL,
    labels integer NOT NULL,
    seconds double precision NOT NULL
);


--
-- Name: paired_counts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.paired_counts (
    problem character varying(64) NOT NULL,
    model_name character varying(256) NOT NULL,
    champion_version integer NOT NULL,
    challenger_version integer NOT NULL,
    day date NOT NULL,
    champion_right boolean NOT NULL,
    challenger_right boolean NOT NULL,
    labels integer NOT NULL
);


--
-- Name: paired_truths; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.paired_truths (
    problem character varying(64) NOT NULL,
    model_name character varying(256) NOT NULL,
    champion_version integer NOT NULL,
    challenger_version integer NOT NULL,
    trusted boolean NOT NULL,
    champion_right boolean NOT NULL,
    challenger_right boolean NOT NULL,
    labels integer NOT NULL
);


--
-- Name: prediction_counts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.prediction_counts (
    problem character varying(64) NOT NULL,
    model_name character varying(256) NOT NULL,
    model_version integer NOT NULL,
    role character varying(16) NOT NULL,
    day date NOT NULL,
    class_name character varying(256) NOT NULL,
    predictions integer NOT NULL,
    outliers integer NOT NULL
);


--
-- Name: predictions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.predictions (
    id character varying(36) NOT NULL,
    role character varying(16) NOT NULL,
    problem character varying(64) NOT NULL,
    model_name character varying(256) NOT NULL,
    model_version integer NOT NULL,
    predicted_at timestamp with time zone NOT NULL,
    features json NOT NULL,
    class_name character varying(256) NOT NULL,
    probabilities json,
    confidence double precision,
    is_outlier boolean,
    outlier_score double precision,
    export_id integer
);


--
-- Name: suggestions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.suggestions (
    id character varying(36) NOT NULL,
    problem character varying(64) NOT NULL,
    features json NOT NULL,
    class_name character varying(256) NOT NULL,
    prediction_id character varying(36),
    received_at timestamp with time zone NOT NULL,
    flow_run_id character varying(36),
    attempts integer NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    last_error text,
    row_number integer,
    written boolean NOT NULL,
    trained_version integer,
    refused_because text,
    source text,
    trusted boolean DEFAULT false NOT NULL,
    quarantined_because text,
    judgement_id character varying(36),
    withdrawn_because text
);


--
-- Name: predictions_and_revisions; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.predictions_and_revisions AS
 SELECT p.id AS prediction_id,
    p.problem,
    p.role,
    p.model_name,
    p.model_version,
    p.predicted_at,
    p.features,
    p.class_name AS predicted_class,
        CASE
            WHEN (json_typeof(p.probabilities) = 'object'::text) THEN ( SELECT ((this.place - 1))::integer AS int4
               FROM json_object_keys(p.probabilities) WITH ORDINALITY this(name, place)
              WHERE (this.name = (p.class_name)::text))
            ELSE NULL::integer
        END AS predicted_class_index,
    p.confidence,
    p.is_outlier,
    p.outlier_score,
    (f.prediction_id IS NOT NULL) AS validated,
    f.class_name AS true_class,
    COALESCE(f.replaced_at, f.received_at) AS validated_at,
    (x.finished_at IS NOT NULL) AS logged,
    x.finished_at AS logged_at,
    (EXISTS ( SELECT 1
           FROM public.suggestions s
          WHERE (((s.prediction_id)::text = (p.id)::text) AND (s.trained_version IS NOT NULL)))) AS trained,
    ( SELECT min(s.trained_version) AS min
           FROM public.suggestions s
          WHERE ((s.prediction_id)::text = (p.id)::text)) AS trained_version
   FROM ((public.predictions p
     LEFT JOIN public.feedback f ON (((f.prediction_id)::text = (p.id)::text)))
     LEFT JOIN public.exports x ON ((x.id = p.export_id)));


--
-- Name: replays; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.replays (
    id character varying(36) NOT NULL,
    problem character varying(64) NOT NULL,
    version integer NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    done integer DEFAULT 0 NOT NULL,
    summary json,
    error text
);


--
-- Name: version_corrections; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.version_corrections (
    problem character varying(64) NOT NULL,
    version integer NOT NULL,
    suggestion_id character varying(36) NOT NULL
);


--
-- Name: vetting_maps; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.vetting_maps (
    problem character varying(64) NOT NULL,
    anchor_version integer NOT NULL,
    details json NOT NULL
);


--
-- Name: vettings; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.vettings (
    suggestion_id character varying(36) NOT NULL,
    problem character varying(64) NOT NULL,
    vetted_at timestamp with time zone NOT NULL,
    outcome character varying(16) NOT NULL,
    rule character varying(16) NOT NULL,
    number double precision,
    details json NOT NULL,
    row_key character varying(32),
    network text,
    reviewer text,
    reviewed_at timestamp with time zone,
    note text
);


--
-- Name: windows; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.windows (
    problem character varying(64) NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    began_at timestamp with time zone NOT NULL,
    model_name character varying(256) NOT NULL,
    model_version integer,
    rows integer NOT NULL,
    outliers integer NOT NULL,
    evaluation json NOT NULL
);


--
-- Name: withdrawals; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.withdrawals (
    suggestion_id character varying(36) NOT NULL,
    problem character varying(64) NOT NULL,
    request_id character varying(36) NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    erase boolean DEFAULT false NOT NULL,
    flow_run_id character varying(36),
    closed_at timestamp with time zone,
    version integer,
    outcome text
);


--
-- Name: alerts id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alerts ALTER COLUMN id SET DEFAULT nextval('public.alerts_id_seq'::regclass);


--
-- Name: champions id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.champions ALTER COLUMN id SET DEFAULT nextval('public.champions_id_seq'::regclass);


--
-- Name: correction_events id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.correction_events ALTER COLUMN id SET DEFAULT nextval('public.correction_events_id_seq'::regclass);


--
-- Name: exports id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.exports ALTER COLUMN id SET DEFAULT nextval('public.exports_id_seq'::regclass);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0006');


--
-- Data for Name: alerts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alerts VALUES (1, 'iris', 'old', 'sepal_length', 'it has drifted', '2026-11-30 02:04:44.733233+13', '2026-11-30 02:04:44.733233+13', NULL, NULL, 0, '2026-11-30 02:04:44.733233+13', NULL);


--
-- Data for Name: champions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.champions VALUES (1, 'IrisModel', 1, '2026-11-30 02:04:45.03611+13', 'registered', NULL);
INSERT INTO public.champions VALUES (2, 'IrisModel', 2, '2026-11-30 02:04:45.038875+13', 'promoted', 'old is better');


--
-- Data for Name: confusion_counts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.confusion_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-29', 'Iris-versicolor', 'Iris-setosa', 2);
INSERT INTO public.confusion_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-29', 'Iris-versicolor', 'Iris-setosa', 2);
INSERT INTO public.confusion_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-29', 'Iris-virginica', 'Iris-setosa', 1);
INSERT INTO public.confusion_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-29', 'Iris-setosa', 'Iris-setosa', 1);
INSERT INTO public.confusion_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-27', 'Iris-setosa', 'Iris-setosa', 1);
INSERT INTO public.confusion_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-27', 'Iris-setosa', 'Iris-virginica', 2);
INSERT INTO public.confusion_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-27', 'Iris-setosa', 'Iris-virginica', 1);
INSERT INTO public.confusion_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-27', 'Iris-setosa', 'Iris-setosa', 3);
INSERT INTO public.confusion_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-27', 'Iris-setosa', 'Iris-versicolor', 3);
INSERT INTO public.confusion_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-27', 'Iris-setosa', 'Iris-versicolor', 2);


--
-- Data for Name: correction_events; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.correction_events VALUES (1, 'old-received', '2026-11-30 02:04:44.854361+13', 'received', 'key', NULL);
INSERT INTO public.correction_events VALUES (2, 'old-delivered', '2026-11-30 02:04:44.871253+13', 'received', 'key', NULL);
INSERT INTO public.correction_events VALUES (3, 'old-waiting', '2026-11-30 02:04:44.892088+13', 'received', 'key', NULL);
INSERT INTO public.correction_events VALUES (4, 'old-trained', '2026-11-30 02:04:44.904542+13', 'received', 'key', NULL);
INSERT INTO public.correction_events VALUES (5, 'old-refused', '2026-11-30 02:04:44.916496+13', 'received', 'key', NULL);
INSERT INTO public.correction_events VALUES (6, 'old-quarantined', '2026-11-30 02:04:44.923926+13', 'received', 'key', NULL);
INSERT INTO public.correction_events VALUES (7, 'old-approved', '2026-11-30 02:04:44.92898+13', 'received', 'key', NULL);
INSERT INTO public.correction_events VALUES (8, 'old-withdrawn', '2026-11-30 02:04:44.941209+13', 'received', 'key', NULL);
INSERT INTO public.correction_events VALUES (9, 'old-waiting', '2026-11-30 02:04:44.952941+13', 'waiting', 'lab', NULL);
INSERT INTO public.correction_events VALUES (10, 'old-trained', '2026-11-30 02:04:44.958962+13', 'waiting', 'lab', NULL);
INSERT INTO public.correction_events VALUES (11, 'old-withdrawn', '2026-11-30 02:04:44.968184+13', 'waiting', 'lab', NULL);
INSERT INTO public.correction_events VALUES (12, 'old-trained', '2026-11-30 02:04:44.983528+13', 'trained', 'lab', 'version 2');
INSERT INTO public.correction_events VALUES (13, 'old-withdrawn', '2026-11-30 02:04:44.983531+13', 'trained', 'lab', 'version 2');
INSERT INTO public.correction_events VALUES (14, 'old-refused', '2026-11-30 02:04:44.991566+13', 'refused', 'lab', 'it is no better');
INSERT INTO public.correction_events VALUES (15, 'old-quarantined', '2026-11-30 02:04:45.008162+13', 'quarantined', 'lab', 'it is far');
INSERT INTO public.correction_events VALUES (16, 'old-approved', '2026-11-30 02:04:45.008165+13', 'quarantined', 'lab', 'it is far');
INSERT INTO public.correction_events VALUES (17, 'old-approved', '2026-11-30 02:04:45.027461+13', 'approved', 'review key', 'I looked');
INSERT INTO public.correction_events VALUES (18, 'old-withdrawn', '2026-11-30 02:04:45.03203+13', 'withdrawn', 'review key', 'a mistake');


--
-- Data for Name: erasures; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.erasures VALUES ('old1-01', 'iris', '2026-11-30 02:04:45.085127+13', 'key', '{"roles":["champion","shadow"],"ground_truth":false,"corrections":[],"correction_count":0,"features_erased":0,"versions":[],"exports":[],"runs":[],"flow_runs":[]}');


--
-- Data for Name: exports; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.exports VALUES (1, 'iris', 'IrisModel', '2026-11-27', 12, '2026-11-30 02:04:45.060878+13', '2026-11-30 02:04:45.07029+13', 'old-run');
INSERT INTO public.exports VALUES (2, 'iris', 'IrisModel', '2026-11-28', 2, '2026-11-30 02:04:45.085127+13', '2026-11-30 02:04:45.085127+13', NULL);


--
-- Data for Name: feedback; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.feedback VALUES ('old0-03', 'Iris-versicolor', '2026-11-30 02:04:44.810997+13', NULL, 'key', false, 'iris');
INSERT INTO public.feedback VALUES ('old0-06', 'Iris-setosa', '2026-11-30 02:04:44.826512+13', NULL, 'key', true, 'iris');
INSERT INTO public.feedback VALUES ('old0-09', 'Iris-versicolor', '2026-11-30 02:04:44.833227+13', NULL, 'key', false, 'iris');
INSERT INTO public.feedback VALUES ('old0-00', 'Iris-virginica', '2026-11-30 02:04:44.794821+13', '2026-11-30 02:04:44.840351+13', NULL, false, 'iris');
INSERT INTO public.feedback VALUES ('old2-00', 'Iris-setosa', '2026-11-30 02:04:44.845072+13', NULL, 'key', false, 'iris');
INSERT INTO public.feedback VALUES ('old2-01', 'Iris-setosa', '2026-11-30 02:04:44.859906+13', NULL, 'key', false, 'iris');
INSERT INTO public.feedback VALUES ('old2-02', 'Iris-setosa', '2026-11-30 02:04:44.886339+13', NULL, 'key', false, 'iris');
INSERT INTO public.feedback VALUES ('old2-03', 'Iris-setosa', '2026-11-30 02:04:44.893425+13', NULL, 'key', false, 'iris');
INSERT INTO public.feedback VALUES ('old2-04', 'Iris-setosa', '2026-11-30 02:04:44.905824+13', NULL, 'key', false, 'iris');
INSERT INTO public.feedback VALUES ('old2-05', 'Iris-setosa', '2026-11-30 02:04:44.917766+13', NULL, 'key', false, 'iris');
INSERT INTO public.feedback VALUES ('old2-06', 'Iris-setosa', '2026-11-30 02:04:44.926047+13', NULL, 'key', false, 'iris');
INSERT INTO public.feedback VALUES ('old2-07', 'Iris-setosa', '2026-11-30 02:04:44.93229+13', NULL, 'key', false, 'iris');


--
-- Data for Name: judgements; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.judgements VALUES ('old-j', 'iris', '2026-11-30 02:04:44.968476+13', 'accepted', 2, 'refitted', '{"gain":3}', NULL, NULL);


--
-- Data for Name: label_delays; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.label_delays VALUES ('iris', 'IrisModel', '2026-11-29', 4, 1080.332625);
INSERT INTO public.label_delays VALUES ('iris', 'IrisModel', '2026-11-27', 8, 1384081.300805);


--
-- Data for Name: paired_counts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.paired_counts VALUES ('iris', 'IrisModel', 1, 2, '2026-11-29', false, false, 2);
INSERT INTO public.paired_counts VALUES ('iris', 'IrisModel', 1, 2, '2026-11-27', true, true, 1);
INSERT INTO public.paired_counts VALUES ('iris', 'IrisModel', 1, 2, '2026-11-27', false, false, 3);


--
-- Data for Name: paired_truths; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.paired_truths VALUES ('iris', 'IrisModel', 1, 2, false, true, true, 1);
INSERT INTO public.paired_truths VALUES ('iris', 'IrisModel', 1, 2, false, false, false, 5);


--
-- Data for Name: prediction_counts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-29', 'Iris-setosa', 4, 0);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-29', 'Iris-versicolor', 4, 1);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-29', 'Iris-versicolor', 2, 0);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-29', 'Iris-virginica', 4, 1);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-29', 'Iris-setosa', 2, 0);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-29', 'Iris-virginica', 2, 1);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-28', 'Iris-setosa', 4, 0);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-28', 'Iris-versicolor', 4, 1);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-28', 'Iris-versicolor', 2, 0);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-28', 'Iris-virginica', 4, 1);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-28', 'Iris-setosa', 2, 0);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-28', 'Iris-virginica', 2, 1);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-27', 'Iris-setosa', 4, 0);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-27', 'Iris-versicolor', 4, 1);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-27', 'Iris-versicolor', 2, 0);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 1, 'champion', '2026-11-27', 'Iris-virginica', 4, 1);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-27', 'Iris-setosa', 2, 0);
INSERT INTO public.prediction_counts VALUES ('iris', 'IrisModel', 2, 'shadow', '2026-11-27', 'Iris-virginica', 2, 1);


--
-- Data for Name: predictions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.predictions VALUES ('old0-00', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 02:04:44.733233+13', '{"sepal_length":5.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', NULL, NULL, NULL, 0.25, NULL);
INSERT INTO public.predictions VALUES ('old0-01', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 02:03:44.733233+13', '{"sepal_length":6.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -0.75, NULL);
INSERT INTO public.predictions VALUES ('old0-01', 'shadow', 'iris', 'IrisModel', 2, '2026-11-30 02:03:44.733233+13', '{"sepal_length":6.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -0.75, NULL);
INSERT INTO public.predictions VALUES ('old0-02', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 02:02:44.733233+13', '{"sepal_length":7.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -1.75, NULL);
INSERT INTO public.predictions VALUES ('old0-03', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 02:01:44.733233+13', '{"sepal_length":8.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -2.75, NULL);
INSERT INTO public.predictions VALUES ('old0-03', 'shadow', 'iris', 'IrisModel', 2, '2026-11-30 02:01:44.733233+13', '{"sepal_length":8.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -2.75, NULL);
INSERT INTO public.predictions VALUES ('old0-04', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 02:00:44.733233+13', '{"sepal_length":9.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -3.75, NULL);
INSERT INTO public.predictions VALUES ('old0-05', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 01:59:44.733233+13', '{"sepal_length":10.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, true, -4.75, NULL);
INSERT INTO public.predictions VALUES ('old0-05', 'shadow', 'iris', 'IrisModel', 2, '2026-11-30 01:59:44.733233+13', '{"sepal_length":10.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, true, -4.75, NULL);
INSERT INTO public.predictions VALUES ('old0-06', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 01:58:44.733233+13', '{"sepal_length":11.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -5.75, NULL);
INSERT INTO public.predictions VALUES ('old0-07', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 01:57:44.733233+13', '{"sepal_length":12.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -6.75, NULL);
INSERT INTO public.predictions VALUES ('old0-07', 'shadow', 'iris', 'IrisModel', 2, '2026-11-30 01:57:44.733233+13', '{"sepal_length":12.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -6.75, NULL);
INSERT INTO public.predictions VALUES ('old0-08', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 01:56:44.733233+13', '{"sepal_length":13.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -7.75, NULL);
INSERT INTO public.predictions VALUES ('old0-09', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 01:55:44.733233+13', '{"sepal_length":14.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -8.75, NULL);
INSERT INTO public.predictions VALUES ('old0-09', 'shadow', 'iris', 'IrisModel', 2, '2026-11-30 01:55:44.733233+13', '{"sepal_length":14.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -8.75, NULL);
INSERT INTO public.predictions VALUES ('old0-10', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 01:54:44.733233+13', '{"sepal_length":15.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, true, -9.75, NULL);
INSERT INTO public.predictions VALUES ('old0-11', 'champion', 'iris', 'IrisModel', 1, '2026-11-30 01:53:44.733233+13', '{"sepal_length":16.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -10.75, NULL);
INSERT INTO public.predictions VALUES ('old0-11', 'shadow', 'iris', 'IrisModel', 2, '2026-11-30 01:53:44.733233+13', '{"sepal_length":16.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -10.75, NULL);
INSERT INTO public.predictions VALUES ('old1-00', 'champion', 'iris', 'IrisModel', 1, '2026-11-29 02:04:44.733233+13', '{"sepal_length":5.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', NULL, NULL, NULL, 0.25, NULL);
INSERT INTO public.predictions VALUES ('old1-02', 'champion', 'iris', 'IrisModel', 1, '2026-11-29 02:02:44.733233+13', '{"sepal_length":7.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -1.75, NULL);
INSERT INTO public.predictions VALUES ('old1-03', 'champion', 'iris', 'IrisModel', 1, '2026-11-29 02:01:44.733233+13', '{"sepal_length":8.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -2.75, NULL);
INSERT INTO public.predictions VALUES ('old1-03', 'shadow', 'iris', 'IrisModel', 2, '2026-11-29 02:01:44.733233+13', '{"sepal_length":8.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -2.75, NULL);
INSERT INTO public.predictions VALUES ('old1-04', 'champion', 'iris', 'IrisModel', 1, '2026-11-29 02:00:44.733233+13', '{"sepal_length":9.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -3.75, NULL);
INSERT INTO public.predictions VALUES ('old1-05', 'champion', 'iris', 'IrisModel', 1, '2026-11-29 01:59:44.733233+13', '{"sepal_length":10.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, true, -4.75, NULL);
INSERT INTO public.predictions VALUES ('old1-05', 'shadow', 'iris', 'IrisModel', 2, '2026-11-29 01:59:44.733233+13', '{"sepal_length":10.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, true, -4.75, NULL);
INSERT INTO public.predictions VALUES ('old1-06', 'champion', 'iris', 'IrisModel', 1, '2026-11-29 01:58:44.733233+13', '{"sepal_length":11.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -5.75, NULL);
INSERT INTO public.predictions VALUES ('old1-07', 'champion', 'iris', 'IrisModel', 1, '2026-11-29 01:57:44.733233+13', '{"sepal_length":12.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -6.75, NULL);
INSERT INTO public.predictions VALUES ('old1-07', 'shadow', 'iris', 'IrisModel', 2, '2026-11-29 01:57:44.733233+13', '{"sepal_length":12.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -6.75, NULL);
INSERT INTO public.predictions VALUES ('old1-08', 'champion', 'iris', 'IrisModel', 1, '2026-11-29 01:56:44.733233+13', '{"sepal_length":13.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -7.75, NULL);
INSERT INTO public.predictions VALUES ('old1-09', 'champion', 'iris', 'IrisModel', 1, '2026-11-29 01:55:44.733233+13', '{"sepal_length":14.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -8.75, NULL);
INSERT INTO public.predictions VALUES ('old1-09', 'shadow', 'iris', 'IrisModel', 2, '2026-11-29 01:55:44.733233+13', '{"sepal_length":14.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -8.75, NULL);
INSERT INTO public.predictions VALUES ('old1-10', 'champion', 'iris', 'IrisModel', 1, '2026-11-29 01:54:44.733233+13', '{"sepal_length":15.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, true, -9.75, NULL);
INSERT INTO public.predictions VALUES ('old1-11', 'champion', 'iris', 'IrisModel', 1, '2026-11-29 01:53:44.733233+13', '{"sepal_length":16.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -10.75, NULL);
INSERT INTO public.predictions VALUES ('old1-11', 'shadow', 'iris', 'IrisModel', 2, '2026-11-29 01:53:44.733233+13', '{"sepal_length":16.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -10.75, NULL);
INSERT INTO public.predictions VALUES ('old2-00', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 02:04:44.733233+13', '{"sepal_length":5.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', NULL, NULL, NULL, 0.25, NULL);
INSERT INTO public.predictions VALUES ('old2-01', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 02:03:44.733233+13', '{"sepal_length":6.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -0.75, NULL);
INSERT INTO public.predictions VALUES ('old2-01', 'shadow', 'iris', 'IrisModel', 2, '2026-11-28 02:03:44.733233+13', '{"sepal_length":6.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -0.75, NULL);
INSERT INTO public.predictions VALUES ('old2-02', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 02:02:44.733233+13', '{"sepal_length":7.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -1.75, NULL);
INSERT INTO public.predictions VALUES ('old2-03', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 02:01:44.733233+13', '{"sepal_length":8.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -2.75, NULL);
INSERT INTO public.predictions VALUES ('old2-03', 'shadow', 'iris', 'IrisModel', 2, '2026-11-28 02:01:44.733233+13', '{"sepal_length":8.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -2.75, NULL);
INSERT INTO public.predictions VALUES ('old2-11', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 01:53:44.733233+13', '{"sepal_length":16.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -10.75, 1);
INSERT INTO public.predictions VALUES ('old2-11', 'shadow', 'iris', 'IrisModel', 2, '2026-11-28 01:53:44.733233+13', '{"sepal_length":16.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -10.75, 1);
INSERT INTO public.predictions VALUES ('old2-10', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 01:54:44.733233+13', '{"sepal_length":15.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, true, -9.75, 1);
INSERT INTO public.predictions VALUES ('old2-09', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 01:55:44.733233+13', '{"sepal_length":14.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -8.75, 1);
INSERT INTO public.predictions VALUES ('old2-09', 'shadow', 'iris', 'IrisModel', 2, '2026-11-28 01:55:44.733233+13', '{"sepal_length":14.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -8.75, 1);
INSERT INTO public.predictions VALUES ('old2-08', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 01:56:44.733233+13', '{"sepal_length":13.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, false, -7.75, 1);
INSERT INTO public.predictions VALUES ('old2-07', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 01:57:44.733233+13', '{"sepal_length":12.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -6.75, 1);
INSERT INTO public.predictions VALUES ('old2-07', 'shadow', 'iris', 'IrisModel', 2, '2026-11-28 01:57:44.733233+13', '{"sepal_length":12.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -6.75, 1);
INSERT INTO public.predictions VALUES ('old2-06', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 01:58:44.733233+13', '{"sepal_length":11.1,"name":"Größe \"9\"\\"}', 'Iris-setosa', '{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}', 0.8, false, -5.75, 1);
INSERT INTO public.predictions VALUES ('old2-05', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 01:59:44.733233+13', '{"sepal_length":10.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, true, -4.75, 1);
INSERT INTO public.predictions VALUES ('old2-05', 'shadow', 'iris', 'IrisModel', 2, '2026-11-28 01:59:44.733233+13', '{"sepal_length":10.1,"name":"Größe \"9\"\\"}', 'Iris-virginica', '{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}', 0.8, true, -4.75, 1);
INSERT INTO public.predictions VALUES ('old2-04', 'champion', 'iris', 'IrisModel', 1, '2026-11-28 02:00:44.733233+13', '{"sepal_length":9.1,"name":"Größe \"9\"\\"}', 'Iris-versicolor', '{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}', 0.8, false, -3.75, 1);


--
-- Data for Name: replays; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.replays VALUES ('31a9aa03-67d7-48c3-87e5-ba2d226b8cec', 'iris', 2, '2026-11-30 01:59:44.733233+13', '2026-11-30 02:04:44.733233+13', '2026-11-30 02:04:45.075976+13', NULL, '2026-11-30 02:04:45.077375+13', 1, '{"rows":1}', NULL);


--
-- Data for Name: suggestions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.suggestions VALUES ('old-received', 'iris', '{"sepal_length":5.1}', 'Iris-setosa', 'old2-00', '2026-11-30 02:04:44.850527+13', NULL, 0, '2026-11-30 02:04:44.850527+13', NULL, NULL, false, NULL, NULL, 'key', false, NULL, NULL, NULL);
INSERT INTO public.suggestions VALUES ('old-delivered', 'iris', '{"sepal_length":5.1}', 'Iris-setosa', 'old2-01', '2026-11-30 02:04:44.868803+13', 'run', 0, '2026-11-30 02:04:44.868803+13', NULL, NULL, false, NULL, NULL, 'key', false, NULL, NULL, NULL);
INSERT INTO public.suggestions VALUES ('old-waiting', 'iris', '{"sepal_length":5.1}', 'Iris-setosa', 'old2-02', '2026-11-30 02:04:44.889539+13', 'run', 0, '2026-11-30 02:04:44.889539+13', NULL, 0, true, NULL, NULL, 'key', false, NULL, NULL, NULL);
INSERT INTO public.suggestions VALUES ('old-trained', 'iris', '{"sepal_length":5.1}', 'Iris-setosa', 'old2-03', '2026-11-30 02:04:44.901477+13', 'run', 0, '2026-11-30 02:04:44.901477+13', NULL, 1, true, 2, NULL, 'key', false, NULL, 'old-j', NULL);
INSERT INTO public.suggestions VALUES ('old-refused', 'iris', '{"sepal_length":5.1}', 'Iris-setosa', 'old2-04', '2026-11-30 02:04:44.912546+13', NULL, 0, '2026-11-30 02:04:44.912546+13', NULL, NULL, false, NULL, 'it is no better', 'key', false, NULL, 'old-j', NULL);
INSERT INTO public.suggestions VALUES ('old-quarantined', 'iris', '{"sepal_length":5.1}', 'Iris-setosa', 'old2-05', '2026-11-30 02:04:44.922811+13', NULL, 0, '2026-11-30 02:04:44.922811+13', NULL, NULL, false, NULL, NULL, 'key', false, 'it is far', NULL, NULL);
INSERT INTO public.suggestions VALUES ('old-approved', 'iris', '{"sepal_length":5.1}', 'Iris-setosa', 'old2-06', '2026-11-30 02:04:44.928314+13', NULL, 0, '2026-11-30 02:04:45.015786+13', NULL, NULL, false, NULL, NULL, 'key', false, NULL, NULL, NULL);
INSERT INTO public.suggestions VALUES ('old-withdrawn', 'iris', '{"sepal_length":5.1}', 'Iris-setosa', 'old2-07', '2026-11-30 02:04:44.940448+13', 'run', 0, '2026-11-30 02:04:44.940448+13', NULL, 2, true, 2, NULL, 'key', false, NULL, 'old-j', 'a mistake');


--
-- Data for Name: version_corrections; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.version_corrections VALUES ('iris', 2, 'old-waiting');
INSERT INTO public.version_corrections VALUES ('iris', 2, 'old-trained');
INSERT INTO public.version_corrections VALUES ('iris', 2, 'old-withdrawn');


--
-- Data for Name: vetting_maps; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.vetting_maps VALUES ('iris', 1, '{"x":[1.5]}');


--
-- Data for Name: vettings; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.vettings VALUES ('old-quarantined', 'iris', '2026-11-30 02:04:44.995747+13', 'quarantined', 'far', 7.5, '{"at":[1,2]}', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.vettings VALUES ('old-approved', 'iris', '2026-11-30 02:04:44.995747+13', 'approved', 'far', 7.5, '{"at":[1,2]}', NULL, NULL, 'review key', '2026-11-30 02:04:45.027704+13', 'I looked');


--
-- Data for Name: windows; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.windows VALUES ('iris', '2026-11-30 02:04:44.733233+13', '2026-11-30 01:59:44.733233+13', 'IrisModel', 1, 12, 1, '{"features":[]}');


--
-- Data for Name: withdrawals; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.withdrawals VALUES ('old-withdrawn', 'iris', 'old-request', '2026-11-30 02:04:45.028402+13', 'review key', false, NULL, NULL, NULL, NULL);


--
-- Name: alerts_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.alerts_id_seq', 1, true);


--
-- Name: champions_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.champions_id_seq', 2, true);


--
-- Name: correction_events_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.correction_events_id_seq', 18, true);


--
-- Name: exports_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.exports_id_seq', 2, true);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: alerts alerts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (id);


--
-- Name: champions champions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.champions
    ADD CONSTRAINT champions_pkey PRIMARY KEY (id);


--
-- Name: confusion_counts confusion_counts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.confusion_counts
    ADD CONSTRAINT confusion_counts_pkey PRIMARY KEY (problem, model_name, model_version, role, day, true_class, predicted_class);


--
-- Name: correction_events correction_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.correction_events
    ADD CONSTRAINT correction_events_pkey PRIMARY KEY (id);


--
-- Name: erasures erasures_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (prediction_id);


--
-- Name: exports exports_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.exports
    ADD CONSTRAINT exports_pkey PRIMARY KEY (id);


--
-- Name: feedback feedback_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT feedback_pkey PRIMARY KEY (prediction_id);


--
-- Name: judgements judgements_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.judgements
    ADD CONSTRAINT judgements_pkey PRIMARY KEY (id);


--
-- Name: label_delays label_delays_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.label_delays
    ADD CONSTRAINT label_delays_pkey PRIMARY KEY (problem, model_name, day);


--
-- Name: paired_counts paired_counts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.paired_counts
    ADD CONSTRAINT paired_counts_pkey PRIMARY KEY (problem, model_name, champion_version, challenger_version, day, champion_right, challenger_right);


--
-- Name: paired_truths paired_truths_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.paired_truths
    ADD CONSTRAINT paired_truths_pkey PRIMARY KEY (problem, model_name, champion_version, challenger_version, trusted, champion_right, challenger_right);


--
-- Name: prediction_counts prediction_counts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.prediction_counts
    ADD CONSTRAINT prediction_counts_pkey PRIMARY KEY (problem, model_name, model_version, role, day, class_name);


--
-- Name: predictions predictions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT predictions_pkey PRIMARY KEY (id, role);


--
-- Name: replays replays_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.replays
    ADD CONSTRAINT replays_pkey PRIMARY KEY (id);


--
-- Name: suggestions suggestions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.suggestions
    ADD CONSTRAINT suggestions_pkey PRIMARY KEY (id);


--
-- Name: version_corrections version_corrections_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.version_corrections
    ADD CONSTRAINT version_corrections_pkey PRIMARY KEY (problem, version, suggestion_id);


--
-- Name: vetting_maps vetting_maps_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.vetting_maps
    ADD CONSTRAINT vetting_maps_pkey PRIMARY KEY (problem, anchor_version);


--
-- Name: vettings vettings_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.vettings
    ADD CONSTRAINT vettings_pkey PRIMARY KEY (suggestion_id);


--
-- Name: windows windows_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.windows
    ADD CONSTRAINT windows_pkey PRIMARY KEY (problem, ended_at);


--
-- Name: withdrawals withdrawals_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.withdrawals
    ADD CONSTRAINT withdrawals_pkey PRIMARY KEY (suggestion_id);


--
-- Name: ix_alerts_open; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_alerts_open ON public.alerts USING btree (problem) WHERE (ended_at IS NULL);


--
-- Name: ix_alerts_problem_began_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_alerts_problem_began_at ON public.alerts USING btree (problem, began_at);


--
-- Name: ix_alerts_problem_kind; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_alerts_problem_kind ON public.alerts USING btree (problem, kind);


--
-- Name: ix_alerts_unposted; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_alerts_unposted ON public.alerts USING btree (next_attempt_at) WHERE (posted_at IS NULL);


--
-- Name: ix_champions_model_name; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_champions_model_name ON public.champions USING btree (model_name);


--
-- Name: ix_correction_events_suggestion_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_correction_events_suggestion_id ON public.correction_events USING btree (suggestion_id, id);


--
-- Name: ix_exports_problem_day; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_exports_problem_day ON public.exports USING btree (problem, day);


--
-- Name: ix_feedback_problem_received_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_feedback_problem_received_at ON public.feedback USING btree (problem, received_at);


--
-- Name: ix_judgements_problem_judged_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_judgements_problem_judged_at ON public.judgements USING btree (problem, judged_at);


--
-- Name: ix_predictions_in_export; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_predictions_in_export ON public.predictions USING btree (export_id) WHERE (export_id IS NOT NULL);


--
-- Name: ix_predictions_problem_predicted_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_predictions_problem_predicted_at ON public.predictions USING btree (problem, predicted_at);


--
-- Name: ix_predictions_unexported; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_predictions_unexported ON public.predictions USING btree (problem, predicted_at) WHERE (export_id IS NULL);


--
-- Name: ix_replays_problem_requested_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_replays_problem_requested_at ON public.replays USING btree (problem, requested_at);


--
-- Name: ix_suggestions_in_quarantine; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_suggestions_in_quarantine ON public.suggestions USING btree (problem, received_at, id) WHERE ((withdrawn_because IS NULL) AND (quarantined_because IS NOT NULL));


--
-- Name: ix_suggestions_prediction_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_suggestions_prediction_id ON public.suggestions USING btree (prediction_id);


--
-- Name: ix_suggestions_problem_received_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_suggestions_problem_received_at ON public.suggestions USING btree (problem, received_at);


--
-- Name: ix_suggestions_problem_row; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_suggestions_problem_row ON public.suggestions USING btree (problem, row_number);


--
-- Name: ix_version_corrections_suggestion_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_version_corrections_suggestion_id ON public.version_corrections USING btree (suggestion_id);


--
-- Name: ix_vettings_problem_outcome; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_vettings_problem_outcome ON public.vettings USING btree (problem, outcome, rule, vetted_at, suggestion_id);


--
-- Name: ix_vettings_problem_row_key; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_vettings_problem_row_key ON public.vettings USING btree (problem, row_key);


--
-- Name: ix_vettings_problem_vetted_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_vettings_problem_vetted_at ON public.vettings USING btree (problem, vetted_at);


--
-- Name: ix_withdrawals_problem_closed_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_withdrawals_problem_closed_at ON public.withdrawals USING btree (problem, closed_at);


--
-- PostgreSQL database dump complete
--

\unrestrict GS7dNXBD7RchWXTopGhKaj4J0l0ARrQK00eYh7TEqJ97OvHHJUFZ2grykSK3bA9

