BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0006');
CREATE TABLE alerts (
	id INTEGER NOT NULL, 
	problem VARCHAR(64) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	subject VARCHAR(256) NOT NULL, 
	message TEXT NOT NULL, 
	began_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	posted_at DATETIME, 
	attempts INTEGER NOT NULL, 
	next_attempt_at DATETIME NOT NULL, 
	last_error TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "alerts" VALUES(1,'iris','old','sepal_length','it has drifted','2026-11-29 13:04:40.766186','2026-11-29 13:04:40.766186',NULL,NULL,0,'2026-11-29 13:04:40.766186',NULL);
CREATE TABLE champions (
	id INTEGER NOT NULL, 
	model_name VARCHAR(256) NOT NULL, 
	model_version INTEGER NOT NULL, 
	since DATETIME NOT NULL, 
	how VARCHAR(16) NOT NULL, 
	because TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "champions" VALUES(1,'IrisModel',1,'2026-11-29 13:04:41.235996','registered',NULL);
INSERT INTO "champions" VALUES(2,'IrisModel',2,'2026-11-29 13:04:41.250532','promoted','old is better');
CREATE TABLE confusion_counts (
	problem VARCHAR(64) NOT NULL, 
	model_name VARCHAR(256) NOT NULL, 
	model_version INTEGER NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	day DATE NOT NULL, 
	true_class VARCHAR(256) NOT NULL, 
	predicted_class VARCHAR(256) NOT NULL, 
	labels INTEGER NOT NULL, 
	PRIMARY KEY (problem, model_name, model_version, role, day, true_class, predicted_class)
);
INSERT INTO "confusion_counts" VALUES('iris','IrisModel',1,'champion','2026-11-29','Iris-setosa','Iris-setosa',1);
INSERT INTO "confusion_counts" VALUES('iris','IrisModel',1,'champion','2026-11-29','Iris-versicolor','Iris-setosa',2);
INSERT INTO "confusion_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-29','Iris-versicolor','Iris-setosa',2);
INSERT INTO "confusion_counts" VALUES('iris','IrisModel',1,'champion','2026-11-29','Iris-virginica','Iris-setosa',1);
INSERT INTO "confusion_counts" VALUES('iris','IrisModel',1,'champion','2026-11-27','Iris-setosa','Iris-setosa',3);
INSERT INTO "confusion_counts" VALUES('iris','IrisModel',1,'champion','2026-11-27','Iris-setosa','Iris-versicolor',3);
INSERT INTO "confusion_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-27','Iris-setosa','Iris-versicolor',2);
INSERT INTO "confusion_counts" VALUES('iris','IrisModel',1,'champion','2026-11-27','Iris-setosa','Iris-virginica',2);
INSERT INTO "confusion_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-27','Iris-setosa','Iris-setosa',1);
INSERT INTO "confusion_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-27','Iris-setosa','Iris-virginica',1);
CREATE TABLE correction_events (
	id INTEGER NOT NULL, 
	suggestion_id VARCHAR(36) NOT NULL, 
	at DATETIME NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	actor TEXT NOT NULL, 
	reason TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "correction_events" VALUES(1,'old-received','2026-11-29 13:04:40.906600','received','key',NULL);
INSERT INTO "correction_events" VALUES(2,'old-delivered','2026-11-29 13:04:40.912807','received','key',NULL);
INSERT INTO "correction_events" VALUES(3,'old-waiting','2026-11-29 13:04:40.955778','received','key',NULL);
INSERT INTO "correction_events" VALUES(4,'old-trained','2026-11-29 13:04:40.985327','received','key',NULL);
INSERT INTO "correction_events" VALUES(5,'old-refused','2026-11-29 13:04:41.006411','received','key',NULL);
INSERT INTO "correction_events" VALUES(6,'old-quarantined','2026-11-29 13:04:41.012113','received','key',NULL);
INSERT INTO "correction_events" VALUES(7,'old-approved','2026-11-29 13:04:41.023666','received','key',NULL);
INSERT INTO "correction_events" VALUES(8,'old-withdrawn','2026-11-29 13:04:41.040068','received','key',NULL);
INSERT INTO "correction_events" VALUES(9,'old-waiting','2026-11-29 13:04:41.127273','waiting','lab',NULL);
INSERT INTO "correction_events" VALUES(10,'old-trained','2026-11-29 13:04:41.142745','waiting','lab',NULL);
INSERT INTO "correction_events" VALUES(11,'old-withdrawn','2026-11-29 13:04:41.163495','waiting','lab',NULL);
INSERT INTO "correction_events" VALUES(12,'old-trained','2026-11-29 13:04:41.186985','trained','lab','version 2');
INSERT INTO "correction_events" VALUES(13,'old-withdrawn','2026-11-29 13:04:41.186990','trained','lab','version 2');
INSERT INTO "correction_events" VALUES(14,'old-refused','2026-11-29 13:04:41.194935','refused','lab','it is no better');
INSERT INTO "correction_events" VALUES(15,'old-quarantined','2026-11-29 13:04:41.203769','quarantined','lab','it is far');
INSERT INTO "correction_events" VALUES(16,'old-approved','2026-11-29 13:04:41.203771','quarantined','lab','it is far');
INSERT INTO "correction_events" VALUES(17,'old-approved','2026-11-29 13:04:41.218348','approved','review key','I looked');
INSERT INTO "correction_events" VALUES(18,'old-withdrawn','2026-11-29 13:04:41.223447','withdrawn','review key','a mistake');
CREATE TABLE erasures (
	prediction_id VARCHAR(36) NOT NULL, 
	problem VARCHAR(64) NOT NULL, 
	erased_at DATETIME NOT NULL, 
	actor TEXT NOT NULL, 
	details JSON NOT NULL, 
	PRIMARY KEY (prediction_id)
);
INSERT INTO "erasures" VALUES('old1-01','iris','2026-11-29 13:04:41.346703','key','{"roles":["champion","shadow"],"ground_truth":false,"corrections":[],"correction_count":0,"features_erased":0,"versions":[],"exports":[],"runs":[],"flow_runs":[]}');
CREATE TABLE exports (
	id INTEGER NOT NULL, 
	problem VARCHAR(64) NOT NULL, 
	model_name VARCHAR(256) NOT NULL, 
	day DATE NOT NULL, 
	rows INTEGER NOT NULL, 
	claimed_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	run_id VARCHAR(36), 
	PRIMARY KEY (id)
);
INSERT INTO "exports" VALUES(1,'iris','IrisModel','2026-11-27',12,'2026-11-29 13:04:41.284509','2026-11-29 13:04:41.318264','old-run');
INSERT INTO "exports" VALUES(2,'iris','IrisModel','2026-11-28',2,'2026-11-29 13:04:41.346703','2026-11-29 13:04:41.346703',NULL);
CREATE TABLE feedback (
	prediction_id VARCHAR(36) NOT NULL, 
	class_name VARCHAR(256) NOT NULL, 
	received_at DATETIME NOT NULL, 
	replaced_at DATETIME, 
	problem VARCHAR(64), 
	source TEXT, 
	trusted BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (prediction_id)
);
INSERT INTO "feedback" VALUES('old0-00','Iris-virginica','2026-11-29 13:04:40.803832','2026-11-29 13:04:40.873383','iris',NULL,0);
INSERT INTO "feedback" VALUES('old0-03','Iris-versicolor','2026-11-29 13:04:40.827989',NULL,'iris','key',0);
INSERT INTO "feedback" VALUES('old0-06','Iris-setosa','2026-11-29 13:04:40.847389',NULL,'iris','key',1);
INSERT INTO "feedback" VALUES('old0-09','Iris-versicolor','2026-11-29 13:04:40.863028',NULL,'iris','key',0);
INSERT INTO "feedback" VALUES('old2-00','Iris-setosa','2026-11-29 13:04:40.894371',NULL,'iris','key',0);
INSERT INTO "feedback" VALUES('old2-01','Iris-setosa','2026-11-29 13:04:40.910773',NULL,'iris','key',0);
INSERT INTO "feedback" VALUES('old2-02','Iris-setosa','2026-11-29 13:04:40.935994',NULL,'iris','key',0);
INSERT INTO "feedback" VALUES('old2-03','Iris-setosa','2026-11-29 13:04:40.977348',NULL,'iris','key',0);
INSERT INTO "feedback" VALUES('old2-04','Iris-setosa','2026-11-29 13:04:41.000398',NULL,'iris','key',0);
INSERT INTO "feedback" VALUES('old2-05','Iris-setosa','2026-11-29 13:04:41.010538',NULL,'iris','key',0);
INSERT INTO "feedback" VALUES('old2-06','Iris-setosa','2026-11-29 13:04:41.022742',NULL,'iris','key',0);
INSERT INTO "feedback" VALUES('old2-07','Iris-setosa','2026-11-29 13:04:41.038653',NULL,'iris','key',0);
CREATE TABLE judgements (
	id VARCHAR(36) NOT NULL, 
	problem VARCHAR(64) NOT NULL, 
	judged_at DATETIME NOT NULL, 
	verdict VARCHAR(32) NOT NULL, 
	version INTEGER, 
	candidate VARCHAR(16) NOT NULL, 
	details JSON NOT NULL, 
	outcome TEXT, 
	flow_run_id VARCHAR(36), 
	PRIMARY KEY (id)
);
INSERT INTO "judgements" VALUES('old-j','iris','2026-11-29 13:04:41.170445','accepted',2,'refitted','{"gain":3}',NULL,NULL);
CREATE TABLE label_delays (
	problem VARCHAR(64) NOT NULL, 
	model_name VARCHAR(256) NOT NULL, 
	day DATE NOT NULL, 
	labels INTEGER NOT NULL, 
	seconds FLOAT NOT NULL, 
	PRIMARY KEY (problem, model_name, day)
);
INSERT INTO "label_delays" VALUES('iris','IrisModel','2026-11-29',4,1080.277494);
INSERT INTO "label_delays" VALUES('iris','IrisModel','2026-11-27',8,1384081.661329);
CREATE TABLE paired_counts (
	problem VARCHAR(64) NOT NULL, 
	model_name VARCHAR(256) NOT NULL, 
	champion_version INTEGER NOT NULL, 
	challenger_version INTEGER NOT NULL, 
	day DATE NOT NULL, 
	champion_right BOOLEAN NOT NULL, 
	challenger_right BOOLEAN NOT NULL, 
	labels INTEGER NOT NULL, 
	PRIMARY KEY (problem, model_name, champion_version, challenger_version, day, champion_right, challenger_right)
);
INSERT INTO "paired_counts" VALUES('iris','IrisModel',1,2,'2026-11-29',0,0,2);
INSERT INTO "paired_counts" VALUES('iris','IrisModel',1,2,'2026-11-27',0,0,3);
INSERT INTO "paired_counts" VALUES('iris','IrisModel',1,2,'2026-11-27',1,1,1);
CREATE TABLE paired_truths (
	problem VARCHAR(64) NOT NULL, 
	model_name VARCHAR(256) NOT NULL, 
	champion_version INTEGER NOT NULL, 
	challenger_version INTEGER NOT NULL, 
	trusted BOOLEAN NOT NULL, 
	champion_right BOOLEAN NOT NULL, 
	challenger_right BOOLEAN NOT NULL, 
	labels INTEGER NOT NULL, 
	PRIMARY KEY (problem, model_name, champion_version, challenger_version, trusted, champion_right, challenger_right)
);
INSERT INTO "paired_truths" VALUES('iris','IrisModel',1,2,0,0,0,5);
INSERT INTO "paired_truths" VALUES('iris','IrisModel',1,2,0,1,1,1);
CREATE TABLE prediction_counts (
	problem VARCHAR(64) NOT NULL, 
	model_name VARCHAR(256) NOT NULL, 
	model_version INTEGER NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	day DATE NOT NULL, 
	class_name VARCHAR(256) NOT NULL, 
	predictions INTEGER NOT NULL, 
	outliers INTEGER NOT NULL, 
	PRIMARY KEY (problem, model_name, model_version, role, day, class_name)
);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',1,'champion','2026-11-29','Iris-setosa',4,0);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',1,'champion','2026-11-29','Iris-versicolor',4,1);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-29','Iris-versicolor',2,0);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',1,'champion','2026-11-29','Iris-virginica',4,1);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-29','Iris-setosa',2,0);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-29','Iris-virginica',2,1);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',1,'champion','2026-11-28','Iris-setosa',4,0);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',1,'champion','2026-11-28','Iris-versicolor',4,1);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-28','Iris-versicolor',2,0);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',1,'champion','2026-11-28','Iris-virginica',4,1);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-28','Iris-setosa',2,0);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-28','Iris-virginica',2,1);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',1,'champion','2026-11-27','Iris-setosa',4,0);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',1,'champion','2026-11-27','Iris-versicolor',4,1);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-27','Iris-versicolor',2,0);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',1,'champion','2026-11-27','Iris-virginica',4,1);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-27','Iris-setosa',2,0);
INSERT INTO "prediction_counts" VALUES('iris','IrisModel',2,'shadow','2026-11-27','Iris-virginica',2,1);
CREATE TABLE predictions (
	id VARCHAR(36) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	problem VARCHAR(64) NOT NULL, 
	model_name VARCHAR(256) NOT NULL, 
	model_version INTEGER NOT NULL, 
	predicted_at DATETIME NOT NULL, 
	features JSON NOT NULL, 
	class_name VARCHAR(256) NOT NULL, 
	probabilities JSON, 
	confidence FLOAT, 
	is_outlier BOOLEAN, 
	outlier_score FLOAT, 
	export_id INTEGER, 
	PRIMARY KEY (id, role)
);
INSERT INTO "predictions" VALUES('old0-00','champion','iris','IrisModel',1,'2026-11-29 13:04:40.766186','{"sepal_length":5.1,"name":"Größe \"9\"\\"}','Iris-setosa',NULL,NULL,NULL,0.25,NULL);
INSERT INTO "predictions" VALUES('old0-01','champion','iris','IrisModel',1,'2026-11-29 13:03:40.766186','{"sepal_length":6.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-0.75,NULL);
INSERT INTO "predictions" VALUES('old0-01','shadow','iris','IrisModel',2,'2026-11-29 13:03:40.766186','{"sepal_length":6.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-0.75,NULL);
INSERT INTO "predictions" VALUES('old0-02','champion','iris','IrisModel',1,'2026-11-29 13:02:40.766186','{"sepal_length":7.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-1.75,NULL);
INSERT INTO "predictions" VALUES('old0-03','champion','iris','IrisModel',1,'2026-11-29 13:01:40.766186','{"sepal_length":8.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-2.75,NULL);
INSERT INTO "predictions" VALUES('old0-03','shadow','iris','IrisModel',2,'2026-11-29 13:01:40.766186','{"sepal_length":8.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-2.75,NULL);
INSERT INTO "predictions" VALUES('old0-04','champion','iris','IrisModel',1,'2026-11-29 13:00:40.766186','{"sepal_length":9.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-3.75,NULL);
INSERT INTO "predictions" VALUES('old0-05','champion','iris','IrisModel',1,'2026-11-29 12:59:40.766186','{"sepal_length":10.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,1,-4.75,NULL);
INSERT INTO "predictions" VALUES('old0-05','shadow','iris','IrisModel',2,'2026-11-29 12:59:40.766186','{"sepal_length":10.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,1,-4.75,NULL);
INSERT INTO "predictions" VALUES('old0-06','champion','iris','IrisModel',1,'2026-11-29 12:58:40.766186','{"sepal_length":11.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-5.75,NULL);
INSERT INTO "predictions" VALUES('old0-07','champion','iris','IrisModel',1,'2026-11-29 12:57:40.766186','{"sepal_length":12.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-6.75,NULL);
INSERT INTO "predictions" VALUES('old0-07','shadow','iris','IrisModel',2,'2026-11-29 12:57:40.766186','{"sepal_length":12.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-6.75,NULL);
INSERT INTO "predictions" VALUES('old0-08','champion','iris','IrisModel',1,'2026-11-29 12:56:40.766186','{"sepal_length":13.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-7.75,NULL);
INSERT INTO "predictions" VALUES('old0-09','champion','iris','IrisModel',1,'2026-11-29 12:55:40.766186','{"sepal_length":14.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-8.75,NULL);
INSERT INTO "predictions" VALUES('old0-09','shadow','iris','IrisModel',2,'2026-11-29 12:55:40.766186','{"sepal_length":14.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-8.75,NULL);
INSERT INTO "predictions" VALUES('old0-10','champion','iris','IrisModel',1,'2026-11-29 12:54:40.766186','{"sepal_length":15.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,1,-9.75,NULL);
INSERT INTO "predictions" VALUES('old0-11','champion','iris','IrisModel',1,'2026-11-29 12:53:40.766186','{"sepal_length":16.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-10.75,NULL);
INSERT INTO "predictions" VALUES('old0-11','shadow','iris','IrisModel',2,'2026-11-29 12:53:40.766186','{"sepal_length":16.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-10.75,NULL);
INSERT INTO "predictions" VALUES('old1-00','champion','iris','IrisModel',1,'2026-11-28 13:04:40.766186','{"sepal_length":5.1,"name":"Größe \"9\"\\"}','Iris-setosa',NULL,NULL,NULL,0.25,NULL);
INSERT INTO "predictions" VALUES('old1-02','champion','iris','IrisModel',1,'2026-11-28 13:02:40.766186','{"sepal_length":7.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-1.75,NULL);
INSERT INTO "predictions" VALUES('old1-03','champion','iris','IrisModel',1,'2026-11-28 13:01:40.766186','{"sepal_length":8.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-2.75,NULL);
INSERT INTO "predictions" VALUES('old1-03','shadow','iris','IrisModel',2,'2026-11-28 13:01:40.766186','{"sepal_length":8.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-2.75,NULL);
INSERT INTO "predictions" VALUES('old1-04','champion','iris','IrisModel',1,'2026-11-28 13:00:40.766186','{"sepal_length":9.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-3.75,NULL);
INSERT INTO "predictions" VALUES('old1-05','champion','iris','IrisModel',1,'2026-11-28 12:59:40.766186','{"sepal_length":10.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,1,-4.75,NULL);
INSERT INTO "predictions" VALUES('old1-05','shadow','iris','IrisModel',2,'2026-11-28 12:59:40.766186','{"sepal_length":10.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,1,-4.75,NULL);
INSERT INTO "predictions" VALUES('old1-06','champion','iris','IrisModel',1,'2026-11-28 12:58:40.766186','{"sepal_length":11.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-5.75,NULL);
INSERT INTO "predictions" VALUES('old1-07','champion','iris','IrisModel',1,'2026-11-28 12:57:40.766186','{"sepal_length":12.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-6.75,NULL);
INSERT INTO "predictions" VALUES('old1-07','shadow','iris','IrisModel',2,'2026-11-28 12:57:40.766186','{"sepal_length":12.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-6.75,NULL);
INSERT INTO "predictions" VALUES('old1-08','champion','iris','IrisModel',1,'2026-11-28 12:56:40.766186','{"sepal_length":13.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-7.75,NULL);
INSERT INTO "predictions" VALUES('old1-09','champion','iris','IrisModel',1,'2026-11-28 12:55:40.766186','{"sepal_length":14.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-8.75,NULL);
INSERT INTO "predictions" VALUES('old1-09','shadow','iris','IrisModel',2,'2026-11-28 12:55:40.766186','{"sepal_length":14.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-8.75,NULL);
INSERT INTO "predictions" VALUES('old1-10','champion','iris','IrisModel',1,'2026-11-28 12:54:40.766186','{"sepal_length":15.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,1,-9.75,NULL);
INSERT INTO "predictions" VALUES('old1-11','champion','iris','IrisModel',1,'2026-11-28 12:53:40.766186','{"sepal_length":16.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-10.75,NULL);
INSERT INTO "predictions" VALUES('old1-11','shadow','iris','IrisModel',2,'2026-11-28 12:53:40.766186','{"sepal_length":16.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-10.75,NULL);
INSERT INTO "predictions" VALUES('old2-00','champion','iris','IrisModel',1,'2026-11-27 13:04:40.766186','{"sepal_length":5.1,"name":"Größe \"9\"\\"}','Iris-setosa',NULL,NULL,NULL,0.25,NULL);
INSERT INTO "predictions" VALUES('old2-01','champion','iris','IrisModel',1,'2026-11-27 13:03:40.766186','{"sepal_length":6.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-0.75,NULL);
INSERT INTO "predictions" VALUES('old2-01','shadow','iris','IrisModel',2,'2026-11-27 13:03:40.766186','{"sepal_length":6.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-0.75,NULL);
INSERT INTO "predictions" VALUES('old2-02','champion','iris','IrisModel',1,'2026-11-27 13:02:40.766186','{"sepal_length":7.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-1.75,NULL);
INSERT INTO "predictions" VALUES('old2-03','champion','iris','IrisModel',1,'2026-11-27 13:01:40.766186','{"sepal_length":8.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-2.75,NULL);
INSERT INTO "predictions" VALUES('old2-03','shadow','iris','IrisModel',2,'2026-11-27 13:01:40.766186','{"sepal_length":8.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-2.75,NULL);
INSERT INTO "predictions" VALUES('old2-04','champion','iris','IrisModel',1,'2026-11-27 13:00:40.766186','{"sepal_length":9.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-3.75,1);
INSERT INTO "predictions" VALUES('old2-05','champion','iris','IrisModel',1,'2026-11-27 12:59:40.766186','{"sepal_length":10.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,1,-4.75,1);
INSERT INTO "predictions" VALUES('old2-05','shadow','iris','IrisModel',2,'2026-11-27 12:59:40.766186','{"sepal_length":10.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,1,-4.75,1);
INSERT INTO "predictions" VALUES('old2-06','champion','iris','IrisModel',1,'2026-11-27 12:58:40.766186','{"sepal_length":11.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-5.75,1);
INSERT INTO "predictions" VALUES('old2-07','champion','iris','IrisModel',1,'2026-11-27 12:57:40.766186','{"sepal_length":12.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-6.75,1);
INSERT INTO "predictions" VALUES('old2-07','shadow','iris','IrisModel',2,'2026-11-27 12:57:40.766186','{"sepal_length":12.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,0,-6.75,1);
INSERT INTO "predictions" VALUES('old2-08','champion','iris','IrisModel',1,'2026-11-27 12:56:40.766186','{"sepal_length":13.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-7.75,1);
INSERT INTO "predictions" VALUES('old2-09','champion','iris','IrisModel',1,'2026-11-27 12:55:40.766186','{"sepal_length":14.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-8.75,1);
INSERT INTO "predictions" VALUES('old2-09','shadow','iris','IrisModel',2,'2026-11-27 12:55:40.766186','{"sepal_length":14.1,"name":"Größe \"9\"\\"}','Iris-setosa','{"Iris-setosa":0.8,"Iris-versicolor":0.1,"Iris-virginica":0.1}',0.8,0,-8.75,1);
INSERT INTO "predictions" VALUES('old2-10','champion','iris','IrisModel',1,'2026-11-27 12:54:40.766186','{"sepal_length":15.1,"name":"Größe \"9\"\\"}','Iris-versicolor','{"Iris-setosa":0.1,"Iris-versicolor":0.8,"Iris-virginica":0.1}',0.8,1,-9.75,1);
INSERT INTO "predictions" VALUES('old2-11','champion','iris','IrisModel',1,'2026-11-27 12:53:40.766186','{"sepal_length":16.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-10.75,1);
INSERT INTO "predictions" VALUES('old2-11','shadow','iris','IrisModel',2,'2026-11-27 12:53:40.766186','{"sepal_length":16.1,"name":"Größe \"9\"\\"}','Iris-virginica','{"Iris-setosa":0.1,"Iris-versicolor":0.1,"Iris-virginica":0.8}',0.8,0,-10.75,1);
CREATE TABLE replays (
	id VARCHAR(36) NOT NULL, 
	problem VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	since DATETIME NOT NULL, 
	until DATETIME NOT NULL, 
	requested_at DATETIME NOT NULL, 
	started_at DATETIME, 
	finished_at DATETIME, 
	done INTEGER DEFAULT 0 NOT NULL, 
	summary JSON, 
	error TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "replays" VALUES('6905e203-648c-4f65-81b4-92d35f0de4bd','iris',2,'2026-11-29 12:59:40.766186','2026-11-29 13:04:40.766186','2026-11-29 13:04:41.325687',NULL,'2026-11-29 13:04:41.342598',1,'{"rows":1}',NULL);
CREATE TABLE suggestions (
	id VARCHAR(36) NOT NULL, 
	problem VARCHAR(64) NOT NULL, 
	features JSON NOT NULL, 
	class_name VARCHAR(256) NOT NULL, 
	prediction_id VARCHAR(36), 
	received_at DATETIME NOT NULL, 
	flow_run_id VARCHAR(36), 
	attempts INTEGER NOT NULL, 
	next_attempt_at DATETIME NOT NULL, 
	last_error TEXT, 
	row_number INTEGER, 
	written BOOLEAN NOT NULL, 
	judgement_id VARCHAR(36), 
	trained_version INTEGER, 
	refused_because TEXT, 
	quarantined_because TEXT, 
	withdrawn_because TEXT, 
	source TEXT, 
	trusted BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "suggestions" VALUES('old-received','iris','{"sepal_length":5.1}','Iris-setosa','old2-00','2026-11-29 13:04:40.895686',NULL,0,'2026-11-29 13:04:40.895686',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,'key',0);
INSERT INTO "suggestions" VALUES('old-delivered','iris','{"sepal_length":5.1}','Iris-setosa','old2-01','2026-11-29 13:04:40.912409','run',0,'2026-11-29 13:04:40.912409',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,'key',0);
INSERT INTO "suggestions" VALUES('old-waiting','iris','{"sepal_length":5.1}','Iris-setosa','old2-02','2026-11-29 13:04:40.955201','run',0,'2026-11-29 13:04:40.955201',NULL,0,1,NULL,NULL,NULL,NULL,NULL,'key',0);
INSERT INTO "suggestions" VALUES('old-trained','iris','{"sepal_length":5.1}','Iris-setosa','old2-03','2026-11-29 13:04:40.984890','run',0,'2026-11-29 13:04:40.984890',NULL,1,1,'old-j',2,NULL,NULL,NULL,'key',0);
INSERT INTO "suggestions" VALUES('old-refused','iris','{"sepal_length":5.1}','Iris-setosa','old2-04','2026-11-29 13:04:41.001665',NULL,0,'2026-11-29 13:04:41.001665',NULL,NULL,0,'old-j',NULL,'it is no better',NULL,NULL,'key',0);
INSERT INTO "suggestions" VALUES('old-quarantined','iris','{"sepal_length":5.1}','Iris-setosa','old2-05','2026-11-29 13:04:41.011751',NULL,0,'2026-11-29 13:04:41.011751',NULL,NULL,0,NULL,NULL,NULL,'it is far',NULL,'key',0);
INSERT INTO "suggestions" VALUES('old-approved','iris','{"sepal_length":5.1}','Iris-setosa','old2-06','2026-11-29 13:04:41.023302',NULL,0,'2026-11-29 13:04:41.216116',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,'key',0);
INSERT INTO "suggestions" VALUES('old-withdrawn','iris','{"sepal_length":5.1}','Iris-setosa','old2-07','2026-11-29 13:04:41.039701','run',0,'2026-11-29 13:04:41.039701',NULL,2,1,'old-j',2,NULL,NULL,'a mistake','key',0);
CREATE TABLE version_corrections (
	problem VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	suggestion_id VARCHAR(36) NOT NULL, 
	PRIMARY KEY (problem, version, suggestion_id)
);
INSERT INTO "version_corrections" VALUES('iris',2,'old-waiting');
INSERT INTO "version_corrections" VALUES('iris',2,'old-trained');
INSERT INTO "version_corrections" VALUES('iris',2,'old-withdrawn');
CREATE TABLE vetting_maps (
	problem VARCHAR(64) NOT NULL, 
	anchor_version INTEGER NOT NULL, 
	details JSON NOT NULL, 
	PRIMARY KEY (problem, anchor_version)
);
INSERT INTO "vetting_maps" VALUES('iris',1,'{"x":[1.5]}');
CREATE TABLE vettings (
	suggestion_id VARCHAR(36) NOT NULL, 
	problem VARCHAR(64) NOT NULL, 
	vetted_at DATETIME NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	rule VARCHAR(16) NOT NULL, 
	number FLOAT, 
	details JSON NOT NULL, 
	row_key VARCHAR(32), 
	network TEXT, 
	reviewer TEXT, 
	reviewed_at DATETIME, 
	note TEXT, 
	PRIMARY KEY (suggestion_id)
);
INSERT INTO "vettings" VALUES('old-quarantined','iris','2026-11-29 13:04:41.202505','quarantined','far',7.5,'{"at":[1,2]}',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "vettings" VALUES('old-approved','iris','2026-11-29 13:04:41.202505','approved','far',7.5,'{"at":[1,2]}',NULL,NULL,'review key','2026-11-29 13:04:41.218409','I looked');
CREATE TABLE windows (
	problem VARCHAR(64) NOT NULL, 
	ended_at DATETIME NOT NULL, 
	began_at DATETIME NOT NULL, 
	model_name VARCHAR(256) NOT NULL, 
	model_version INTEGER, 
	rows INTEGER NOT NULL, 
	outliers INTEGER NOT NULL, 
	evaluation JSON NOT NULL, 
	PRIMARY KEY (problem, ended_at)
);
INSERT INTO "windows" VALUES('iris','2026-11-29 13:04:40.766186','2026-11-29 12:59:40.766186','IrisModel',1,12,1,'{"features":[]}');
CREATE TABLE withdrawals (
	suggestion_id VARCHAR(36) NOT NULL, 
	problem VARCHAR(64) NOT NULL, 
	request_id VARCHAR(36) NOT NULL, 
	requested_at DATETIME NOT NULL, 
	actor TEXT NOT NULL, 
	erase BOOLEAN DEFAULT 0 NOT NULL, 
	flow_run_id VARCHAR(36), 
	closed_at DATETIME, 
	version INTEGER, 
	outcome TEXT, 
	PRIMARY KEY (suggestion_id)
);
INSERT INTO "withdrawals" VALUES('old-withdrawn','iris','old-request','2026-11-29 13:04:41.222124','review key',0,NULL,NULL,NULL,NULL);
CREATE INDEX ix_predictions_unexported ON predictions (problem, predicted_at) WHERE export_id IS NULL;
CREATE INDEX ix_predictions_in_export ON predictions (export_id) WHERE export_id IS NOT NULL;
CREATE INDEX ix_predictions_problem_predicted_at ON predictions (problem, predicted_at);
CREATE INDEX ix_feedback_problem_received_at ON feedback (problem, received_at);
CREATE INDEX ix_champions_model_name ON champions (model_name);
CREATE INDEX ix_suggestions_prediction_id ON suggestions (prediction_id);
CREATE INDEX ix_suggestions_problem_row ON suggestions (problem, row_number);
CREATE INDEX ix_suggestions_in_quarantine ON suggestions (problem, received_at, id) WHERE withdrawn_because IS NULL AND quarantined_because IS NOT NULL;
CREATE INDEX ix_suggestions_problem_received_at ON suggestions (problem, received_at);
CREATE INDEX ix_judgements_problem_judged_at ON judgements (problem, judged_at);
CREATE INDEX ix_alerts_problem_kind ON alerts (problem, kind);
CREATE INDEX ix_alerts_unposted ON alerts (next_attempt_at) WHERE posted_at IS NULL;
CREATE INDEX ix_alerts_problem_began_at ON alerts (problem, began_at);
CREATE INDEX ix_alerts_open ON alerts (problem) WHERE ended_at IS NULL;
CREATE INDEX ix_exports_problem_day ON exports (problem, day);
CREATE INDEX ix_correction_events_suggestion_id ON correction_events (suggestion_id, id);
CREATE INDEX ix_vettings_problem_vetted_at ON vettings (problem, vetted_at);
CREATE INDEX ix_vettings_problem_row_key ON vettings (problem, row_key);
CREATE INDEX ix_vettings_problem_outcome ON vettings (problem, outcome, rule, vetted_at, suggestion_id);
CREATE INDEX ix_version_corrections_suggestion_id ON version_corrections (suggestion_id);
CREATE INDEX ix_withdrawals_problem_closed_at ON withdrawals (problem, closed_at);
CREATE INDEX ix_replays_problem_requested_at ON replays (problem, requested_at);
CREATE VIEW predictions_and_revisions AS
    SELECT
        p.id AS prediction_id,
        p.problem,
        p.role,
        p.model_name,
        p.model_version,
        p.predicted_at,
        p.features,
        p.class_name AS predicted_class,
        CASE WHEN json_type(p.probabilities) = 'object' THEN (
        SELECT COUNT(before.id)
        FROM json_each(p.probabilities) AS this
        LEFT JOIN json_each(p.probabilities) AS before ON before.id < this.id
        WHERE this.key = p.class_name
        GROUP BY this.id
        ) END AS predicted_class_index,
        p.confidence,
        p.is_outlier,
        p.outlier_score,
        f.prediction_id IS NOT NULL AS validated,
        f.class_name AS true_class,
        COALESCE(f.replaced_at, f.received_at) AS validated_at,
        x.finished_at IS NOT NULL AS logged,
        x.finished_at AS logged_at,
        EXISTS (
            SELECT 1 FROM suggestions AS s WHERE s.prediction_id = p.id AND s.trained_version IS NOT NULL
        ) AS trained,
        (SELECT MIN(s.trained_version) FROM suggestions AS s WHERE s.prediction_id = p.id) AS trained_version
    FROM predictions AS p
    LEFT JOIN feedback AS f ON f.prediction_id = p.id
    LEFT JOIN exports AS x ON x.id = p.export_id;
COMMIT;
